"""AWS IAM Identity Center as a target: permission sets in accounts of an organization."""

"""`python -m bot` is `rotakey`."""

from bot.cli import main

main()

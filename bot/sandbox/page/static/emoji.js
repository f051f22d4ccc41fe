// Slack's short names of the emoji that bots like to use.

const EMOJI = {
  "+1": "👍", "-1": "👎", adult: "🧑", alarm_clock: "⏰", arrow_down: "⬇️", arrow_forward: "▶️", arrow_left: "⬅️",
  arrow_right: "➡️", arrow_up: "⬆️", arrows_counterclockwise: "🔄", ballot_box_with_check: "☑️", bell: "🔔",
  bangbang: "‼️", black_circle: "⚫", blue_circle: "🔵", book: "📖", boom: "💥", broken_heart: "💔", bug: "🐛",
  bulb: "💡", busts_in_silhouette: "👥", bust_in_silhouette: "👤", calendar: "📆", card_index: "📇", chains: "⛓️",
  chart_with_upwards_trend: "📈", clap: "👏", clipboard: "📋", clock1: "🕐", clock3: "🕒", closed_lock_with_key: "🔐",
  construction: "🚧", cry: "😢", date: "📅", door: "🚪", dart: "🎯", elephant: "🐘", envelope: "✉️", exclamation: "❗",
  eye: "👁️", eyes: "👀", file_cabinet: "🗄️", fire: "🔥", fire_engine: "🚒", gear: "⚙️", globe_with_meridians: "🌐",
  green_circle: "🟢", grey_exclamation: "❕", grey_question: "❔", hammer: "🔨", hammer_and_wrench: "🛠️",
  handshake: "🤝", heart: "❤️", heavy_check_mark: "✔️", heavy_minus_sign: "➖", heavy_plus_sign: "➕",
  heavy_multiplication_x: "✖️", hourglass: "⌛", hourglass_flowing_sand: "⏳", house: "🏠", incoming_envelope: "📨",
  information_source: "ℹ️", key: "🔑", label: "🏷️", large_blue_circle: "🔵", large_green_circle: "🟢",
  large_orange_circle: "🟠", large_red_circle: "🔴", large_yellow_circle: "🟡", link: "🔗", lock: "🔒",
  lock_with_ink_pen: "🔏", mag: "🔍", mailbox: "📫", mega: "📣", memo: "📝", microscope: "🔬", moneybag: "💰",
  no_bell: "🔕", no_entry: "⛔", no_entry_sign: "🚫", notebook: "📓", octagonal_sign: "🛑", ok: "🆗", ok_hand: "👌",
  old_key: "🗝️", page_facing_up: "📄", pager: "📟", paperclip: "📎", partying_face: "🥳", pencil: "📝", pencil2: "✏️",
  people_holding_hands: "🧑‍🤝‍🧑", point_right: "👉", pray: "🙏", pushpin: "📌", question: "❓", raised_hand: "✋",
  raised_hands: "🙌", raising_hand: "🙋", recycle: "♻️", red_circle: "🔴", repeat: "🔁", robot_face: "🤖", rocket: "🚀",
  rotating_light: "🚨", round_pushpin: "📍", runner: "🏃", scales: "⚖️", scroll: "📜", see_no_evil: "🙈", seedling: "🌱",
  shield: "🛡️", shrug: "🤷", skull: "💀", sleeping: "😴", slightly_frowning_face: "🙁", slightly_smiling_face: "🙂",
  smile: "😄", smiley: "😃", soon: "🔜", sos: "🆘", sparkles: "✨", speech_balloon: "💬", star: "⭐", stop_sign: "🛑",
  stopwatch: "⏱️", sunny: "☀️", tada: "🎉", thinking_face: "🤔", thumbsdown: "👎", thumbsup: "👍", ticket: "🎫",
  timer_clock: "⏲️", triangular_flag_on_post: "🚩", unlock: "🔓", vertical_traffic_light: "🚦", warning: "⚠️",
  watch: "⌚", wave: "👋", white_check_mark: "✅", white_circle: "⚪", white_small_square: "▫️",
  small_blue_diamond: "🔹", wrench: "🔧", writing_hand: "✍️", x: "❌", yellow_circle: "🟡", zap: "⚡", zzz: "💤",
};

export function emoji(name) {
  return Object.hasOwn(EMOJI, name) ? EMOJI[name] : null;
}

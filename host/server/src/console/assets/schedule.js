// When jobs run, in words.

import { t } from "./i18n.js";

/** [how a choice is named, its cron], from often to seldom. */
export const PRESETS = [
  ["schedule.five_minutes", "*/5 * * * *"],
  ["schedule.ten_minutes", "*/10 * * * *"],
  ["schedule.quarter", "*/15 * * * *"],
  ["schedule.half_hour", "*/30 * * * *"],
  ["schedule.hour", "0 * * * *"],
  ["schedule.night", "0 3 * * *"],
];

/** A cron expression for people; itself where it says more than these words can. */
export function scheduleText(cron) {
  const preset = PRESETS.find(([, one]) => one === cron);
  if (preset) return t(preset[0]);
  const minutes = cron.match(/^\*\/(\d+) \* \* \* \*$/);
  if (minutes) return t("schedule.minutes", { count: Number(minutes[1]) });
  const hours = cron.match(/^(\d+) \*\/(\d+) \* \* \*$/);
  if (hours) return t("schedule.hours", { count: Number(hours[2]) });
  const daily = cron.match(/^(\d+) (\d+) \* \* \*$/);
  if (daily) return t("schedule.daily", { time: `${daily[2]}:${daily[1].padStart(2, "0")}` });
  return cron;
}

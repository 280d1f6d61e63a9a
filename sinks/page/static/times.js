// Times in the viewer's zone, UTC when pointed at; ages that go on counting.
const format = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const withYear = new Intl.DateTimeFormat(undefined, { year: "numeric", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

const utcDays = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "2-digit", timeZone: "UTC" });

/** For axes, the beginnings of periods: their dates in UTC, as ClickHouse cut them, or times if periods are shorter than a day. */
export function periods(moments) {
  const whole = moments.every((each) => Number(each) % 86_400_000 === 0);
  return moments.map((each) => (whole ? utcDays.format(each) : local(each)));
}

export function local(moment) {
  return (moment.getFullYear() === new Date().getFullYear() ? format : withYear).format(moment);
}

function age(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

/** Show every time below `root` as the viewer reads it. */
export function show(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    element.textContent = "ago" in element.dataset ? age(Date.now() - moment) : local(moment);
    element.title = ("ago" in element.dataset ? `${local(moment)} · ` : "") + element.dateTime.replace("T", " ").replace("Z", " UTC");
  }
}

setInterval(() => {
  for (const element of document.querySelectorAll("time[data-ago]")) {
    const text = age(Date.now() - new Date(element.dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
}, 5000);

// Shows a decision: who asks, what it may play, and why. What is new since the last one is marked.

const byId = (id) => document.getElementById(id);

function made(name, ...content) {
  const element = document.createElement(name);
  element.append(...content);
  return element;
}

let shown = []; // the reasons
const wording = (reason) => reason.replace(/[\d.]+/g, ""); // ages and speeds change all the time

/** The height of the highest picture that a decision allows. */
export const highest = (decision) => Math.max(0, ...decision.ladder.map((rung) => rung.height ?? 0));

export function showDecision(decision, header) {
  const { client, quality_profile: profile } = decision;
  const speed = client.speed_kbps === null ? "not measured" : `${client.speed_kbps} kbit/s (${client.speed_source})`;
  const facts = {
    Device: client.device,
    System: client.os ?? "unknown",
    Place: client.country ? `${client.country}, ${client.continent}` : "unknown",
    Speed: speed,
  };
  byId("client").replaceChildren(
    ...Object.entries(facts).map(([name, value]) => made("div", made("dt", name), made("dd", value))),
  );
  byId("profile").textContent = profile.name;
  byId("ladder").replaceChildren(
    ...[...decision.ladder].sort((a, b) => b.height - a.height || b.bandwidth - a.bandwidth).map(row),
  );
  if (shown.join("\n") !== decision.reasons.join("\n")) {
    const before = new Set(shown.map(wording));
    byId("reasons").replaceChildren(
      ...decision.reasons.map((reason) => {
        const item = made("li", reason);
        if (before.size && !before.has(wording(reason))) item.className = "new";
        return item;
      }),
    );
    shown = decision.reasons;
  }
  byId("header").textContent = header ? `Gateway-Decision: ${header}` : "";
}

function row(rung) {
  const line = made(
    "tr",
    made("td", rung.height ? `${rung.height}p` : "sound"),
    made("td", String(Math.round(rung.bandwidth / 1000))),
    made("td", rung.codecs ?? ""),
  );
  line.dataset.height = rung.height ?? "";
  line.dataset.codecs = rung.codecs ?? "";
  return line;
}

/** Mark the rung that plays. */
export function markRung(rung) {
  for (const line of byId("ladder").children) {
    const same = rung && Number(line.dataset.height) === rung.height && line.dataset.codecs.startsWith(rung.codecs.slice(0, 4));
    line.classList.toggle("current", Boolean(same));
  }
}

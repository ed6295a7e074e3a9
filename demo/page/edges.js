// The edges: their state and load as the gateway tells them, and buttons that break and mend them.

const ACTIONS = {
  kill: ["Kill", (edge) => edge.faults.includes("killed")],
  slow: ["Slow", (edge) => edge.faults.includes("slow") || edge.faults.includes("killed")],
  drain: ["Drain", (edge) => edge.state === "draining"],
  mend: ["Mend", (edge) => !edge.faults.length && edge.state !== "draining"],
};
const DID = { kill: "killed", slow: "slowed", drain: "drained", mend: "mended" };
const ORDER = ["1st choice", "2nd choice", "3rd choice"];
const mbps = (kbps) => (kbps / 1000).toFixed(1);

function made(name, className, content = "") {
  const element = document.createElement(name);
  element.className = className;
  element.append(content);
  return element;
}

export class Edges {
  /** `edges` are {id, city}; `onAct(text)` is told what was done, `onError(text)` what failed. */
  constructor(list, edges, { onAct, onError, onState }) {
    this.rows = new Map(edges.map((edge, index) => [edge.id, this.row(edge, index)]));
    this.states = new Map();
    this.tell = { onAct, onError, onState };
    list.replaceChildren(...[...this.rows.values()].map((row) => row.item));
  }

  row({ id, city }, index) {
    const item = made("li", "");
    item.dataset.edge = id;
    item.dataset.colour = index;
    const name = made("div", "name");
    name.append(made("span", "swatch"), id, made("small", "", ` ${city}`));
    const plays = made("span", "plays");
    const state = made("span", "state", "…");
    const now = made("div", "now");
    now.append(plays, state);
    const load = made("div", "load");
    const bar = document.createElement("progress");
    bar.setAttribute("aria-label", `Load of ${id}`);
    const leased = made("span", "", "load unknown");
    load.append(bar, leased);
    const actions = made("div", "actions");
    actions.setAttribute("role", "group");
    actions.setAttribute("aria-label", `Break or mend ${id}`);
    const buttons = Object.entries(ACTIONS).map(([action, [label]]) => {
      const button = made("button", "", label);
      button.type = "button";
      button.dataset.action = action;
      button.setAttribute("aria-label", `${label} ${id}`);
      button.addEventListener("click", () => this.act(id, action));
      return button;
    });
    actions.append(...buttons);
    const why = made("div", "why");
    item.append(name, now, load, actions, why);
    return { item, plays, state, bar, leased, buttons, why };
  }

  async act(id, action) {
    for (const button of this.rows.get(id).buttons) button.disabled = true;
    const answer = await fetch(`/demo/edges/${id}/${action}`, { method: "POST" });
    if (answer.ok) this.tell.onAct(`You ${DID[action]} ${id}.`);
    else this.tell.onError(await answer.text());
    await this.refresh();
  }

  /** Ask for the state of all edges, and show it. */
  async refresh() {
    const answer = await fetch("/demo/edges.json");
    if (!answer.ok) return;
    for (const edge of (await answer.json()).edges) this.show(edge);
  }

  show(edge) {
    const row = this.rows.get(edge.id);
    const state = edge.full && edge.state === "up" ? "full" : edge.state ?? "unknown";
    row.state.textContent = state;
    row.state.dataset.state = state;
    if (edge.capacity_kbps) {
      row.bar.max = edge.capacity_kbps;
      row.bar.value = edge.leased_kbps ?? 0;
      row.leased.textContent = `${mbps(edge.leased_kbps ?? 0)} of ${mbps(edge.capacity_kbps)} Mbit/s`;
    }
    const here = { killed: "killed here", slow: "slowed here" };
    row.why.textContent = [...edge.faults.map((fault) => here[fault]), edge.why].filter(Boolean).join("; ");
    for (const button of row.buttons) button.disabled = ACTIONS[button.dataset.action][1](edge);
    const before = this.states.get(edge.id);
    this.states.set(edge.id, state);
    if (before && before !== state) {
      this.tell.onState(`The gateway finds ${edge.id} ${state}${edge.why ? `: ${edge.why}` : ""}.`);
    }
  }

  /** Show the order of a decision, and the edge that serves now. */
  rank(order, playing) {
    for (const [id, row] of this.rows) {
      const place = order.indexOf(id);
      row.item.classList.toggle("current", id === playing);
      row.plays.textContent = id === playing ? "plays from here" : ORDER[place] ?? "";
    }
  }

  /** The number of an edge's colour. */
  colour(id) {
    return [...this.rows.keys()].indexOf(id);
  }
}

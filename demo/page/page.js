// Plays the demo titles through the gateway as another viewer, and shows what the gateway decides,
// and why. The choices stand in the page's own address, so that a view can be shared or opened by a
// test. `?speed=600` tells the gateway a speed in kbit/s, instead of having it measured.

import { highest, markRung, showDecision } from "/demo/decision.js";
import { Edges } from "/demo/edges.js";
import { measure } from "/demo/measure.js";
import { PLAYERS, loadScript } from "/demo/players.js";
import { Strip } from "/demo/strip.js";

const CHOICES = ["device", "from", "network", "player", "title", "speed", "max_resolution"];
const FIXED = ["player", "title", "device"]; // whose values are those of their menus
const PARAMETERS = ["speed", "max_resolution"]; // those that the gateway takes
const DECIDE_EVERY_MS = 3000;
const EDGES_EVERY_MS = 1000;
const TICK_MS = 500;
const MOST_EVENTS = 50;
const byId = (id) => document.getElementById(id);
const video = byId("video");
const form = byId("pretend");
const page = randomName(); // names this page's network to the demo
const probes = new Map(); // network -> a promise of { bytes, duration_ms }, or of null
let settings = { edges: [], places: [], operators: "", players: [] };
let edges = null;
let strip = null;
let player = null; // what plays, as players.js gives it
let started = 0; // counts starts, so that a late answer to an older choice is dropped
let session = ""; // a new one for each start: a session stays on its edge, wherever it moves
let complaint = ""; // what the player said last
let offered = 0; // the highest picture of the playlist that plays
let better = 0; // how many decisions in a row allow a higher one
let order = []; // the edges of the decision, best first
let served = ""; // the edge of the last segment
let rungShown = 0;
let profileShown = "";
let stalledSince = null;
let stalledMs = 0;
let bitsPerSecond = 0; // what the page has measured of the network
let networkBefore = "";

function text(id, value) {
  byId(id).textContent = value;
}

/** Add a line to what happened. */
function happened(what) {
  const now = new Date();
  const time = document.createElement("time");
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString("en-GB");
  const line = document.createElement("li");
  line.append(time, what);
  byId("happened").prepend(line);
  while (byId("happened").children.length > MOST_EVENTS) byId("happened").lastChild.remove();
}

function choices() {
  const chosen = new URLSearchParams();
  for (const name of CHOICES) {
    if (form.elements[name].value) chosen.set(name, form.elements[name].value);
  }
  return chosen;
}

/** Not crypto.randomUUID, which pages without TLS have on loopback alone. */
function randomName() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("-");
}

/** The chosen player, and the chosen title's asset id. */
const chosenPlayer = () => PLAYERS[form.elements.player.value] ?? PLAYERS["hls.js"];
const chosenTitle = () => form.elements.title.value || "demo";

/** The gateway's address for a suffix: the choices that it takes as parameters, not the place.
 * Without a suffix it is that of the decision. */
function gatewayUrl(suffix) {
  const query = new URLSearchParams([...choices()].filter(([name]) => PARAMETERS.includes(name)));
  query.set("session", session);
  if (!suffix && chosenPlayer().suffix === ".mpd") query.set("format", "dash");
  return `/v1/play/${chosenTitle()}${suffix}?${query}`;
}

/** What tells the demo, before the gateway and at the edges, which device and network this is. */
function viewerHeader() {
  const [device, network] = [form.elements.device.value, form.elements.network.value];
  if (!device && !network) return {};
  const members = [`id=${page}`, ...(device ? [`device=${device}`] : []), ...(network ? [`kbps=${network}`] : [])];
  return { "Demo-Viewer": members.join(", ") };
}

/**
 * The place travels as a proxy would tell it; the demo trusts its own loopback for that. A real
 * viewer does not move between continents within seconds, so the browser's cache must not answer.
 */
function gatewayHeaders() {
  const from = form.elements.from.value;
  return { "Cache-Control": "no-cache", ...(from ? { "X-Forwarded-For": from } : {}), ...viewerHeader() };
}

const isGateway = (url) => new URL(url, location.href).origin === location.origin;

/** Tell the gateway what was measured, once for each network: its next answers to this session use
 * it. */
async function tellMeasured() {
  const network = form.elements.network.value;
  if (!probes.has(network)) probes.set(network, measure(viewerHeader()));
  const measured = await probes.get(network);
  bitsPerSecond = 0;
  if (!measured?.bytes || !(measured.duration_ms > 0)) return;
  const response = await fetch("/v1/probe", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...gatewayHeaders() },
    body: JSON.stringify({ session, ...measured }),
  });
  if (!response.ok) return;
  const { speed_kbps: kbps } = await response.json();
  bitsPerSecond = (kbps ?? 0) * 1000;
  text("probe", kbps === null ? "too short" : inMbps(kbps * 1000));
}

const inMbps = (bitsPerSecond) => `${(bitsPerSecond / 1e6).toFixed(bitsPerSecond < 1e6 ? 2 : 1)} Mbit/s`;

function notice(message) {
  byId("notice").hidden = !message;
  text("notice", message);
}

/** Ask for the decision, and show it. */
async function decide(turn) {
  const response = await fetch(gatewayUrl(""), { headers: gatewayHeaders() });
  const body = await response.json();
  if (turn !== started) return null;
  if (!response.ok) {
    notice(`${body.title ?? response.status}: ${body.detail ?? ""}`);
    return null;
  }
  showDecision(body, response.headers.get("Gateway-Decision"));
  order = body.edges;
  edges.rank(order, served);
  const profile = body.quality_profile.name;
  if (profile !== profileShown) {
    happened(`Decision: profile ${profile}, up to ${highest(body)}p, from ${order[0]}.`);
    profileShown = profile;
  }
  return body;
}

/** Once more, while it plays. A playlist is read once; when the viewer may play more than that lists
 * for some time, the player reads it again. */
async function decideAgain() {
  if (document.hidden || !player || form.elements.title.value) return;
  const turn = started;
  const decision = await decide(turn);
  if (!decision || turn !== started) return;
  better = highest(decision) > offered ? better + 1 : 0;
  if (better < 2) return;
  happened(`The player asks for its playlist again: it may play up to ${highest(decision)}p now.`);
  better = 0;
  offered = highest(decision);
  await play(turn, video.currentTime);
}

function segmentLoaded(edge, url) {
  const name = edge ?? new URL(url).host;
  if (served && served !== name) happened(`Segments come from ${name}, no longer from ${served}.`);
  served = name;
  text("edge", name);
  if (byId("notice").textContent === complaint) notice(""); // it plays on
  edges.rank(order, served);
}

/** Fill a menu with the tracks that the player found. */
function menu(id, off) {
  const { names, current } = player.tracks(id);
  const options = names.map((name, index) => new Option(name, index, false, index === current));
  if (off && names.length) options.unshift(new Option(off, -1, false, current < 0));
  byId(id).replaceChildren(...options);
  byId(id).disabled = options.length < 2;
}

function showTracks() {
  if (!player) return; // it called before start() has it
  menu("audio");
  menu("subtitles", "off");
}

/** The browser's own HLS, where the script of the player is missing. */
function playWithoutScript(chosen) {
  if (chosen.suffix === ".m3u8" && video.canPlayType("application/vnd.apple.mpegurl")) {
    video.src = gatewayUrl(".m3u8");
    notice(`${chosen.script} is not installed here, so the browser's own HLS plays. It cannot be another viewer, and it does not tell which edge served.`);
  } else {
    const format = chosen.suffix === ".mpd" ? "DASH" : "HLS";
    notice(`This browser plays no ${format} by itself, and ${chosen.script} is not installed. Run “.venv/bin/python -m demo.player” (it needs npm) and reload.`);
  }
}

async function stop() {
  const playing = player;
  player = null;
  await playing?.destroy();
  video.removeAttribute("src");
  video.autoplay = true; // dash.js leaves it false
  stalledSince = null;
  notice("");
}

async function play(turn, startAt = 0) {
  await stop();
  const chosen = chosenPlayer();
  if (settings.players.includes(chosen.script)) await loadScript(chosen.script);
  if (turn !== started) return;
  if (!chosen.ready()) {
    playWithoutScript(chosen);
    return;
  }
  player = chosen.play({
    video,
    session,
    startAt,
    bitsPerSecond,
    url: gatewayUrl(chosen.suffix),
    headersFor: (url) => (isGateway(url) ? gatewayHeaders() : viewerHeader()),
    onSegment: segmentLoaded,
    onTracks: showTracks,
    onError: (message) => {
      complaint = `The player failed: ${message}`;
      notice(complaint);
    },
  });
}

function showByHand() {
  const url = gatewayUrl(chosenPlayer().suffix);
  const from = form.elements.from.value;
  const header = from ? ` -H 'X-Forwarded-For: ${from}'` : "";
  const device = settings.devices.find(({ id }) => id === form.elements.device.value);
  const agent = device?.user_agent ?? navigator.userAgent;
  text("curl", `curl -A '${agent.replaceAll("'", "")}'${header} '${location.origin}${url}'`);
  byId("manifest").href = url;
  byId("json").href = gatewayUrl("");
}

function showChoices() {
  const query = choices();
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  for (const button of byId("presets").children) {
    const chosen = ["device", "from", "network"].every((name) => form.elements[name].value === (button.dataset[name] ?? ""));
    button.setAttribute("aria-pressed", String(chosen));
  }
}

/** A new viewer. */
async function start() {
  started += 1;
  const turn = started;
  session = randomName();
  served = "";
  rungShown = 0;
  profileShown = "";
  offered = 0;
  better = 0;
  stalledMs = 0;
  networkBefore = form.elements.network.value;
  // The live title is there in DASH alone.
  if (form.elements.title.value && chosenPlayer().suffix !== ".mpd") form.elements.player.value = "dash.js";
  showChoices();
  happened(`A new viewer: ${["device", "from", "network"].map((name) => form.elements[name].selectedOptions[0].label).join(", ")}.`);
  await stop();
  text("edge", "–");
  text("probe", "–");
  if (!form.elements.speed.value) {
    text("probe", "…");
    await tellMeasured().catch(() => {}); // a gateway whose probe is off plays as well
  }
  if (turn !== started) return;
  showByHand();
  await play(turn);
  if (turn !== started) return;
  const decision = await decide(turn).catch((error) => notice(`The gateway did not answer: ${error.message}`));
  if (decision) offered = highest(decision);
}

/** The same viewer, on another network: it plays on. A browser tells its page of a faster network
 * (navigator.connection), whereupon the player measures anew. */
function changeNetwork() {
  const speed = (network) => Number(network || Infinity);
  if (speed(form.elements.network.value) > speed(networkBefore)) {
    player?.forget?.(Math.max(player.bandwidth(), 500_000));
  }
  networkBefore = form.elements.network.value;
  bitsPerSecond = 0;
  showChoices();
  showByHand();
  happened(`The network is now: ${form.elements.network.selectedOptions[0].label}. Nobody tells the gateway.`);
}

function bufferedAhead() {
  for (let i = 0; i < video.buffered.length; i += 1) {
    if (video.buffered.start(i) <= video.currentTime && video.currentTime <= video.buffered.end(i)) {
      return video.buffered.end(i) - video.currentTime;
    }
  }
  return 0;
}

function tick() {
  const height = player ? video.videoHeight : 0;
  text("rung", height ? `${height}p` : "–");
  text("buffer", `${bufferedAhead().toFixed(1)} s`);
  const measured = player?.bandwidth();
  text("measured", Number.isFinite(measured) ? inMbps(measured) : "–");
  const waiting = stalledSince === null ? 0 : performance.now() - stalledSince;
  text("stalled", `${((stalledMs + waiting) / 1000).toFixed(1)} s`);
  markRung(player?.rung());
  if (height && height !== rungShown) {
    happened(rungShown ? `${height}p plays, after ${rungShown}p.` : `${height}p plays.`);
    rungShown = height;
  }
  strip.add({ height, edge: served, stalled: waiting > 100 });
}

/** Stalls are the time between "waiting" and the next moment at which the picture moves on. The start
 * and seeks are none. */
function watchStalls() {
  video.addEventListener("waiting", () => {
    if (player && video.currentTime > 0.5 && !video.seeking) stalledSince ??= performance.now();
  });
  video.addEventListener("timeupdate", () => {
    if (stalledSince === null || video.seeking) return;
    const ms = performance.now() - stalledSince;
    stalledSince = null;
    stalledMs += ms;
    if (ms > 100) happened(`Playback stalled for ${(ms / 1000).toFixed(1)} s.`);
  });
}

function offerChoices() {
  const add = (name, options) => form.elements[name].append(...options);
  add("device", settings.devices.map(({ id, name }) => new Option(name, id)));
  add("from", settings.places.map(({ name, address }) => new Option(name, address)));
  add("network", settings.networks.map(({ name, kbps }) => new Option(name, kbps)));
  const presets = [...settings.presets, { name: "This browser, here" }];
  byId("presets").replaceChildren(
    ...presets.map(({ name, ...values }) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      Object.assign(button.dataset, values);
      button.addEventListener("click", () => {
        for (const each of ["device", "from", "network"]) form.elements[each].value = values[each] ?? "";
        start();
      });
      return button;
    }),
  );
}

/** Choose what the page's address names. */
function takeChoices() {
  const asked = new URLSearchParams(location.search);
  for (const name of CHOICES) {
    const value = asked.get(name);
    if (value === null) continue;
    const field = form.elements[name];
    const known = !field.options || [...field.options].some((option) => option.value === value);
    if (!known && FIXED.includes(name)) continue;
    if (!known) field.append(new Option(value, value));
    field.value = value;
  }
}

function legend() {
  const entries = settings.edges.map(({ id }, index) => {
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.dataset.colour = index;
    const entry = document.createElement("span");
    entry.append(swatch, id);
    return entry;
  });
  const stall = document.createElement("span");
  const mark = document.createElement("span");
  mark.className = "swatch stall";
  stall.append(mark, "stalled");
  byId("legend").replaceChildren(...entries, stall);
}

/** Do something again and again, a pause after each time. */
function repeat(work, pauseMs) {
  const again = () => setTimeout(() => work().catch(() => {}).finally(again), pauseMs);
  again();
}

async function main() {
  settings = await (await fetch("/demo/settings.json")).json();
  byId("metrics").href = `${settings.operators}/metrics`;
  byId("readiness").href = `${settings.operators}/readyz`;
  edges = new Edges(byId("edges"), settings.edges, { onAct: happened, onState: happened, onError: notice });
  strip = new Strip(byId("strip"), (id) => edges.colour(id));
  legend();
  offerChoices();
  takeChoices();
  for (const name of ["device", "from", "player", "title", "max_resolution"]) {
    form.elements[name].addEventListener("change", start);
  }
  form.elements.network.addEventListener("change", changeNetwork);
  for (const id of ["audio", "subtitles"]) {
    byId(id).addEventListener("change", (event) => player?.select(id, Number(event.target.value)));
  }
  watchStalls();
  setInterval(tick, TICK_MS);
  await edges.refresh();
  repeat(() => (document.hidden ? Promise.resolve() : edges.refresh()), EDGES_EVERY_MS);
  repeat(decideAgain, DECIDE_EVERY_MS);
  await start();
}

main().catch((error) => notice(`The page could not start: ${error.message}`));

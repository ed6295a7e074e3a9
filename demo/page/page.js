// Plays the demo titles through the gateway and shows what the gateway decided, and why.
// The choices stand in the page's own address, so that a view can be shared or opened by a test.

import { PLAYERS, loadScript } from "/demo/players.js";

const CHOICES = ["player", "title", "from", "speed", "max_resolution"];
const PARAMETERS = ["speed", "max_resolution"]; // those that the gateway takes
const byId = (id) => document.getElementById(id);
const video = byId("video");
const form = byId("pretend");
const served = new Map(); // edge id -> segments
let settings = { edges: [], places: [], operators: "", players: [] };
let player = null; // what plays, as players.js gives it
let started = 0; // counts starts, so that a late answer to an older choice is dropped
let session = ""; // a new one for each start: a session stays on its edge, wherever it moves
let complaint = ""; // what the player said last
let probing = null; // the one probe: a promise of { bytes, duration_ms }, or of null

const PROBE_BYTES = [200_000, 2_000_000]; // the second one where the first took no time
const PROBE_SHORT_MS = 200;
const PROBE_LONGEST_MS = 2500;

function text(id, value) {
  byId(id).textContent = value;
}

function element(name, content, className = "") {
  const made = document.createElement(name);
  made.append(content);
  made.className = className;
  return made;
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

/**
 * The place travels as a proxy would tell it; the demo trusts its own loopback for that. A real
 * viewer does not move between continents within seconds, so the browser's cache must not answer.
 */
function gatewayHeaders() {
  const from = form.elements.from.value;
  return { "Cache-Control": "no-cache", ...(from ? { "X-Forwarded-For": from } : {}) };
}

/**
 * Time one download. What came with the first piece was on its way before, so it does not count,
 * unless it was most of the whole.
 */
async function timeDownload(bytes) {
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), PROBE_LONGEST_MS);
  const asked = performance.now();
  let first = 0; // when the first piece came
  let last = asked;
  let before = 0; // the size of the first piece
  let received = 0;
  try {
    const response = await fetch(`/v1/probe?bytes=${bytes}`, { signal: control.signal });
    if (!response.ok) return null;
    const reader = response.body.getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      last = performance.now();
      received += piece.value.length;
      before ||= received;
      first ||= last;
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error; // a slow network: what has come says enough
  } finally {
    clearTimeout(timer);
  }
  if (received > 2 * before) return { bytes: received - before, duration_ms: last - first };
  return { bytes: received, duration_ms: last - asked };
}

/** Measure the network. Nothing waits for longer than two probes may take. */
async function measure() {
  let result = null;
  const asked = performance.now();
  for (const bytes of PROBE_BYTES) {
    const found = await timeDownload(bytes);
    result = found ?? result;
    if (found === null || performance.now() - asked >= PROBE_SHORT_MS) break;
  }
  return result;
}

/** Tell the gateway what was measured, once, whatever is chosen later: its next answers to this
 * session use it. */
async function tellMeasured() {
  probing ??= measure();
  const measured = await probing;
  if (!measured?.bytes || !(measured.duration_ms > 0)) return;
  const response = await fetch("/v1/probe", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...gatewayHeaders() },
    body: JSON.stringify({ session, ...measured }),
  });
  if (!response.ok) return;
  const { speed_kbps: kbps } = await response.json();
  text("probe", kbps === null ? "too short" : `${(kbps / 1000).toFixed(1)} Mbit/s`);
}

function notice(message) {
  byId("notice").hidden = !message;
  text("notice", message);
}

/** A button that stops an edge of the demo, or starts it again. */
function edgeSwitch(id) {
  const edge = settings.edges.find((known) => known.id === id);
  if (!edge || edge.serves === null) return "";
  const button = element("button", edge.serves ? "stop" : "start");
  button.type = "button";
  button.addEventListener("click", async () => {
    button.disabled = true;
    const answer = await fetch(`/demo/edges/${id}/${edge.serves ? "stop" : "start"}`, { method: "POST" });
    if (answer.ok) edge.serves = !edge.serves;
    else notice(await answer.text());
    button.replaceChildren(edge.serves ? "stop" : "start");
    button.disabled = false;
  });
  return button;
}

function showDecision(decision, header) {
  const { client, quality_profile: profile } = decision;
  const speed = client.speed_kbps === null ? "not measured" : `${client.speed_kbps} kbit/s (${client.speed_source})`;
  const facts = {
    Device: client.device,
    System: client.os ?? "unknown",
    Place: client.country ? `${client.country}, ${client.continent}` : "unknown",
    Speed: speed,
  };
  byId("client").replaceChildren(
    ...Object.entries(facts).map(([name, value]) => {
      const pair = element("div", element("dt", name));
      pair.append(element("dd", value));
      return pair;
    }),
  );
  text("profile", profile.name);
  byId("ladder").replaceChildren(
    ...[...decision.ladder]
      .sort((a, b) => b.height - a.height || b.bandwidth - a.bandwidth)
      .map((rung) => {
        const row = document.createElement("tr");
        row.append(
          element("td", rung.height ? `${rung.height}p` : "sound"),
          element("td", String(Math.round(rung.bandwidth / 1000))),
          element("td", rung.codecs ?? ""),
        );
        row.dataset.height = rung.height ?? "";
        row.dataset.codecs = rung.codecs ?? "";
        return row;
      }),
  );
  const cities = new Map(settings.edges.map((edge) => [edge.id, edge.city]));
  byId("edges").replaceChildren(
    ...decision.edges.map((id) => {
      const item = element("li", `${id} `);
      item.dataset.edge = id;
      item.append(element("small", cities.get(id) ?? ""), edgeSwitch(id));
      return item;
    }),
  );
  byId("reasons").replaceChildren(...decision.reasons.map((reason) => element("li", reason)));
  text("header", header ? `Gateway-Decision: ${header}` : "");
}

async function decide(turn) {
  const response = await fetch(gatewayUrl(""), { headers: gatewayHeaders() });
  const body = await response.json();
  if (turn !== started) return;
  if (!response.ok) {
    notice(`${body.title ?? response.status}: ${body.detail ?? ""}`);
    return;
  }
  showDecision(body, response.headers.get("Gateway-Decision"));
}

function segmentLoaded(edge, url) {
  const name = edge ?? new URL(url).host;
  served.set(name, (served.get(name) ?? 0) + 1);
  text("edge", name);
  if (byId("notice").textContent === complaint) notice(""); // it plays on
  for (const item of byId("edges").children) {
    item.classList.toggle("current", item.dataset.edge === name);
  }
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
    notice(`${chosen.script} is not installed here, so the browser's own HLS plays. It cannot pretend to be elsewhere, and it does not tell which edge served.`);
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
  served.clear();
  text("edge", "–");
  notice("");
}

async function play(turn) {
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
    url: gatewayUrl(chosen.suffix),
    headers: gatewayHeaders(),
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
  text("curl", `curl -A '${navigator.userAgent.replaceAll("'", "")}'${header} '${location.origin}${url}'`);
  byId("manifest").href = url;
  byId("json").href = gatewayUrl("");
}

async function start() {
  started += 1;
  const turn = started;
  session = randomName();
  // The live title is there in DASH alone.
  if (form.elements.title.value && chosenPlayer().suffix !== ".mpd") form.elements.player.value = "dash.js";
  const query = choices();
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  if (!form.elements.speed.value) {
    await tellMeasured().catch(() => {}); // a gateway whose probe is off plays as well
  }
  if (turn !== started) return;
  showByHand();
  await play(turn);
  if (turn !== started) return;
  decide(turn).catch((error) => notice(`The gateway did not answer: ${error.message}`));
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
  const height = video.videoHeight;
  text("rung", height ? `${height}p` : "–");
  text("buffer", `${bufferedAhead().toFixed(1)} s`);
  const quality = video.getVideoPlaybackQuality();
  text("frames", `${quality.totalVideoFrames} (${quality.droppedVideoFrames} dropped)`);
  const bitsPerSecond = player?.bandwidth();
  text("measured", Number.isFinite(bitsPerSecond) ? `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s` : "–");
  const rung = player?.rung();
  for (const row of byId("ladder").children) {
    const same = rung && Number(row.dataset.height) === rung.height && row.dataset.codecs.startsWith(rung.codecs.slice(0, 4));
    row.classList.toggle("current", Boolean(same));
  }
}

async function main() {
  settings = await (await fetch("/demo/settings.json")).json();
  byId("metrics").href = `${settings.operators}/metrics`;
  byId("readiness").href = `${settings.operators}/readyz`;
  const place = form.elements.from;
  place.append(...settings.places.map(({ name, address }) => new Option(`${name} (${address})`, address)));
  const asked = new URLSearchParams(location.search);
  for (const name of CHOICES) {
    const value = asked.get(name);
    if (value === null) continue;
    const select = form.elements[name];
    const offered = [...select.options].some((option) => option.value === value);
    if (!offered && ["player", "title"].includes(name)) continue;
    if (!offered) select.append(new Option(value, value));
    select.value = value;
  }
  for (const name of CHOICES) form.elements[name].addEventListener("change", start);
  for (const id of ["audio", "subtitles"]) {
    byId(id).addEventListener("change", (event) => player?.select(id, Number(event.target.value)));
  }
  setInterval(tick, 250);
  await start();
}

main().catch((error) => notice(`The page could not start: ${error.message}`));

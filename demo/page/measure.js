// Measures the network between this page and the gateway, as a player's page can: two downloads.

const PROBE_BYTES = [200_000, 2_000_000]; // the second one where the first took no time
const PROBE_SHORT_MS = 200;
const PROBE_LONGEST_MS = 2500;

/**
 * Time one download. What came with the first piece was on its way before, so it does not count,
 * unless it was most of the whole.
 */
async function timeDownload(bytes, headers) {
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), PROBE_LONGEST_MS);
  const asked = performance.now();
  let first = 0; // when the first piece came
  let last = asked;
  let before = 0; // the size of the first piece
  let received = 0;
  try {
    const response = await fetch(`/v1/probe?bytes=${bytes}`, { signal: control.signal, headers });
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

/** {bytes, duration_ms}, or null. Nothing waits for longer than two probes may take. */
export async function measure(headers) {
  let result = null;
  const asked = performance.now();
  for (const bytes of PROBE_BYTES) {
    const found = await timeDownload(bytes, headers);
    result = found ?? result;
    if (found === null || performance.now() - asked >= PROBE_SHORT_MS) break;
  }
  return result;
}

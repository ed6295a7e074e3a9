// Drives hls.js, dash.js and Shaka Player in the same way. `play(name, stage)` plays with one of them:
//
// stage = {video, url, startAt, bitsPerSecond, session, headersFor(url), onSegment(edge, url), onTracks(), onError(text)}
//
// and gives {destroy(), bandwidth(), rung(), tracks(kind), select(kind, index)}: the measured bit/s,
// the {height, codecs} that play, and for "audio" or "subtitles" {names, current}. `onTracks` says
// that `tracks` has news, and `onError` what went wrong: after an error of an edge, players may go on
// from another. `startAt` is in seconds,
// `bitsPerSecond` what the page has measured before, or 0. hls.js gives `forget(bitsPerSecond)`, too,
// which starts its measuring anew. Buffers are short, so that a change of the network or of an
// edge shows soon.

export const PLAYERS = {
  "hls.js": { script: "hls.js", suffix: ".m3u8", ready: () => window.Hls?.isSupported(), play: playWithHlsJs },
  "dash.js": { script: "dash.js", suffix: ".mpd", ready: () => Boolean(window.dashjs), play: playWithDashJs },
  "shaka-dash": { script: "shaka.js", suffix: ".mpd", ready: () => window.shaka?.Player.isBrowserSupported(), play: playWithShaka },
  "shaka-hls": { script: "shaka.js", suffix: ".m3u8", ready: () => window.shaka?.Player.isBrowserSupported(), play: playWithShaka },
};

const loading = new Map(); // script -> promise

/** Load the script of a player, once; resolves in any case. */
export function loadScript(name) {
  if (!loading.has(name)) {
    loading.set(name, new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = `/demo/${name}`;
      script.onload = script.onerror = () => resolve();
      document.head.append(script);
    }));
  }
  return loading.get(name);
}

const BUFFER_S = 8;
const languageName = (code) => new Intl.DisplayNames([code || "en"], { type: "language" }).of(code || "und");

// After an error, hls.js goes to another edge before it asks the same one again (docs/steering.md).
const elsewhereFirst = ({ default: policy }) => ({
  default: {
    ...policy,
    maxTimeToFirstByteMs: 5000,
    errorRetry: { ...policy.errorRetry, shouldRetry: () => false },
    timeoutRetry: { ...policy.timeoutRetry, shouldRetry: () => false },
  },
});

function playWithHlsJs(stage) {
  const hls = new Hls({
    fragLoadPolicy: elsewhereFirst(Hls.DefaultConfig.fragLoadPolicy),
    playlistLoadPolicy: elsewhereFirst(Hls.DefaultConfig.playlistLoadPolicy),
    errorPenaltyExpireMs: 30000,
    // Start on the first rung of the playlist even if it needs more than 5 Mbit/s.
    abrEwmaDefaultEstimateMax: 1e9,
    ...(stage.bitsPerSecond ? { abrEwmaDefaultEstimate: stage.bitsPerSecond } : {}),
    startPosition: stage.startAt || -1,
    maxBufferLength: Math.min(BUFFER_S, Hls.DefaultConfig.maxBufferLength),
    maxMaxBufferLength: Math.min(BUFFER_S, Hls.DefaultConfig.maxMaxBufferLength),
    backBufferLength: 20,
    xhrSetup: (request, url) => {
      for (const [name, value] of Object.entries(stage.headersFor(url))) request.setRequestHeader(name, value);
    },
  });
  hls.on(Hls.Events.FRAG_LOADED, (_, data) => {
    stage.onSegment(data.networkDetails?.getResponseHeader?.("Edge") ?? null, data.frag.url);
  });
  hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, stage.onTracks);
  hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, stage.onTracks);
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (data.fatal) stage.onError(data.details);
  });
  hls.loadSource(stage.url);
  hls.attachMedia(stage.video);
  return {
    destroy: () => hls.destroy(),
    bandwidth: () => hls.bandwidthEstimate,
    forget: (bitsPerSecond) => { hls.bandwidthEstimate = bitsPerSecond; },
    rung: () => {
      const level = hls.levels?.[hls.currentLevel];
      return level ? { height: level.height, codecs: level.videoCodec ?? "" } : null;
    },
    tracks: (kind) => (kind === "audio"
      ? { names: hls.audioTracks.map((track) => track.name), current: hls.audioTrack }
      : { names: hls.subtitleTracks.map((track) => track.name), current: hls.subtitleTrack }),
    select: (kind, index) => {
      if (kind === "audio") hls.audioTrack = index;
      else hls.subtitleTrack = index;
    },
  };
}

function playWithDashJs(stage) {
  const player = dashjs.MediaPlayer().create();
  const kinds = { audio: "audio", subtitles: "text" };
  let subtitles = -1;
  player.updateSettings({
    debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE },
    streaming: {
      buffer: { bufferTimeDefault: BUFFER_S, bufferTimeAtTopQuality: BUFFER_S, bufferTimeAtTopQualityLongForm: BUFFER_S },
      text: { defaultEnabled: false },
      // In the query of MPDs, and as reports: both reach the gateway. Edges would at best log it.
      cmcd: {
        enabled: true,
        version: 2,
        sid: stage.session,
        includeInRequests: ["mpd"],
        eventTargets: [{
          enabled: true,
          url: `${location.origin}/v1/cmcd`,
          events: ["ps", "e", "t"],
          interval: 10,
          enabledKeys: ["sid", "sf", "st", "sta", "ec", "mtp", "bs", "msd"],
        }],
      },
    },
  });
  player.addRequestInterceptor(async (request) => {
    request.headers = { ...request.headers, ...stage.headersFor(request.url) };
    return request;
  });
  player.addResponseInterceptor(async (response) => {
    if (response.status < 400 && response.data && response.request.customData?.request?.type === "MediaSegment") {
      stage.onSegment(response.headers?.edge ?? null, response.url || response.request.url);
    }
    return response;
  });
  player.on(dashjs.MediaPlayer.events.STREAM_INITIALIZED, stage.onTracks);
  player.on(dashjs.MediaPlayer.events.TEXT_TRACKS_ADDED, stage.onTracks);
  player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => stage.onError(error.message ?? String(error)));
  player.initialize(stage.video, stage.url, true, stage.startAt || undefined);
  return {
    destroy: () => player.destroy(),
    bandwidth: () => player.getAverageThroughput("video") * 1000,
    rung: () => {
      const playing = player.isReady() && player.getCurrentRepresentationForType("video");
      return playing ? { height: playing.height, codecs: playing.codecs } : null;
    },
    tracks: (kind) => {
      const tracks = player.getTracksFor(kinds[kind]);
      const names = tracks.map((track) => track.labels[0]?.text ?? languageName(track.lang));
      if (kind === "subtitles") return { names, current: subtitles };
      return { names, current: tracks.indexOf(player.getCurrentTrackFor("audio")) };
    },
    select: (kind, index) => {
      if (kind === "audio") player.setCurrentTrack(player.getTracksFor("audio")[index]);
      else player.setTextTrack(subtitles = index);
    },
  };
}

function playWithShaka(stage) {
  const player = new shaka.Player();
  const { RequestType } = shaka.net.NetworkingEngine;
  // Tracks of the same language are told apart by nothing else here.
  const listed = { audio: () => player.getAudioTracks(), subtitles: () => player.getTextTracks() };
  const network = player.getNetworkingEngine();
  network.registerRequestFilter((_, request) => {
    Object.assign(request.headers, stage.headersFor(request.uris[0]));
  });
  network.registerResponseFilter((type, response) => {
    if (type === RequestType.SEGMENT) stage.onSegment(response.headers.edge ?? null, response.uri);
  });
  player.addEventListener("trackschanged", stage.onTracks);
  const failed = (error) => {
    if (error.code !== shaka.util.Error.Code.LOAD_INTERRUPTED) stage.onError(`Shaka error ${error.code}`);
  };
  player.addEventListener("error", ({ detail }) => {
    if (detail.severity === shaka.util.Error.Severity.CRITICAL) failed(detail);
  });
  player.configure("streaming.bufferingGoal", BUFFER_S);
  player.attach(stage.video).then(() => player.load(stage.url, stage.startAt || undefined)).then(stage.onTracks).catch(failed);
  return {
    destroy: () => player.destroy(),
    bandwidth: () => player.getStats().estimatedBandwidth,
    rung: () => {
      const playing = player.getVariantTracks().find((track) => track.active);
      return playing ? { height: playing.height, codecs: playing.videoCodec ?? "" } : null;
    },
    tracks: (kind) => {
      const tracks = listed[kind]();
      return {
        names: tracks.map((track) => track.label ?? languageName(track.language)),
        current: tracks.findIndex((track) => track.active),
      };
    },
    select: (kind, index) => {
      if (kind === "audio") player.selectAudioTrack(listed.audio()[index]);
      else player.selectTextTrack(listed.subtitles()[index] ?? null);
    },
  };
}

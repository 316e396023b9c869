// @ts-check
// Where in the song we are, as arithmetic alone: an anchor (a position at a time of the audio clock) and a loop.

/** @typedef {{start: number, end: number} | null} Loop seconds of the song */

/**
 * Position in the song at `time` of a playback that was at `position` at `since`.
 * @param {{position: number, since: number}} anchor
 * @param {number} time of the audio clock, in seconds
 * @param {Loop} loop
 */
export function positionAt(anchor, time, loop) {
  const position = anchor.position + Math.max(0, time - anchor.since);
  if (!loop || position < loop.end || anchor.position >= loop.end) return position;
  return loop.start + ((position - loop.start) % (loop.end - loop.start));
}

/** Onto a whole sample: what starts late must not lie between two samples. @param {number} seconds @param {number} rate */
export const onSample = (seconds, rate) => Math.round(seconds * rate) / rate;

const SHORTEST = 0.05;

/**
 * A loop of whole samples inside the song, at least 50 ms long.
 * @param {number} a @param {number} b @param {number} duration @param {number} rate
 * @returns {{start: number, end: number}}
 */
export function loopBetween(a, b, duration, rate) {
  let start = Math.min(Math.max(0, Math.min(a, b)), duration - SHORTEST);
  const end = Math.min(duration, Math.max(a, b, start + SHORTEST));
  start = Math.max(0, start);
  return { start: onSample(start, rate), end: Math.floor(end * rate + 1e-6) / rate };
}

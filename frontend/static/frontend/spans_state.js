// Marked passages: {completion, start, end, label}, characters counted as Unicode code points. Pure.

/** The spans with a new one: what it overlaps gives way, what has its label and touches it is joined. */
export function addSpan(spans, added) {
  let { start, end } = added;
  const others = [];
  for (const span of spans) {
    const isApart = span.completion !== added.completion || span.end < start || span.start > end;
    if (isApart) others.push(span);
    else if (span.label === added.label) [start, end] = [Math.min(start, span.start), Math.max(end, span.end)];
    else others.push(...without(span, added));
  }
  return [...others, { ...added, start, end }].sort((a, b) => a.completion - b.completion || a.start - b.start);
}

export const removeSpan = (spans, index) => spans.filter((_, other) => other !== index);

function without(span, hole) {
  const parts = [{ ...span, end: Math.min(span.end, hole.start) }, { ...span, start: Math.max(span.start, hole.end) }];
  return parts.filter(({ start, end }) => start < end);
}

/** The code points in a piece of text; a lone half of a pair counts as one. */
export const numCharacters = (text) => [...text].length;

/** Code point offset → offset in UTF-16 units, as the browser counts. */
export function unitsAt(text, offset) {
  let units = 0;
  let seen = 0;
  for (const character of text) {
    if (seen === offset) break;
    units += character.length;
    seen += 1;
  }
  return units;
}

/** Where `part` stands in `text` as [start, end] in code points, if it stands there exactly once; otherwise null. */
export function onlyPlace(text, part) {
  if (!part.trim()) return null;
  const at = text.indexOf(part);
  if (at < 0 || text.indexOf(part, at + 1) >= 0) return null;
  const start = numCharacters(text.slice(0, at));
  return [start, start + numCharacters(part)];
}

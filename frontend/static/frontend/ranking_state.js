// A ranking under construction: tiers of places, best first, and what is not placed yet. Pure: every function
// returns a new state.

export function emptyRanking(count) {
  return { tiers: [], unranked: [...Array(count).keys()], last: [], isTieNext: false };
}

/** Put an item behind everything placed so far, or level with the last one if a tie was announced. */
export function place(state, item) {
  const tiers = without(state.tiers, item);
  if (state.isTieNext && tiers.length) tiers[tiers.length - 1].push(item);
  else tiers.push([item]);
  return placed(state, tiers, item);
}

/** Put an item into a tier: a tie. */
export function dropInto(state, item, tier) {
  const target = state.tiers[tier].find((other) => other !== item);
  if (target === undefined) return state;
  const tiers = without(state.tiers, item);
  tiers.find((items) => items.includes(target)).push(item);
  return placed(state, tiers, item);
}

/** Put an item alone before the tier with this index; the number of tiers means at the end. */
export function dropBefore(state, item, gap) {
  const next = state.tiers[gap]?.find((other) => other !== item);
  const after = state.tiers.slice(gap + 1).flat();
  const tiers = without(state.tiers, item);
  const anchor = next ?? after[0];
  const index = anchor === undefined ? tiers.length : tiers.findIndex((items) => items.includes(anchor));
  tiers.splice(index, 0, [item]);
  return placed(state, tiers, item);
}

/** One step towards better (-1) or worse (+1): out of a tie, into the neighbour's tier, or past it without ties. */
export function move(state, item, step, allowsTies) {
  const from = state.tiers.findIndex((items) => items.includes(item));
  if (from < 0) return state;
  const isTied = state.tiers[from].length > 1;
  if (isTied) {
    const tiers = without(state.tiers, item);
    tiers.splice(step < 0 ? from : from + 1, 0, [item]);
    return placed(state, tiers, item);
  }
  const neighbour = from + step;
  if (neighbour < 0 || neighbour >= state.tiers.length) return state;
  if (allowsTies) return dropInto(state, item, neighbour);
  return dropBefore(state, item, step < 0 ? neighbour : neighbour + 1);
}

export function remove(state, item) {
  const unranked = [...new Set([...state.unranked, item])].sort((a, b) => a - b);
  return { ...state, tiers: without(state.tiers, item), unranked, last: state.last.filter((i) => i !== item) };
}

export const numPlaced = (state) => state.tiers.flat().length;

/** Whether it can be sent: all placed; or as many as the best k; or two at least if the others may be left out. */
export function isComplete(state, { topK = 0, allowsUnranked = false } = {}) {
  if (topK) return numPlaced(state) === topK;
  return allowsUnranked ? numPlaced(state) >= 2 : state.unranked.length === 0;
}

/** Whether every reply stands exactly where it was shown: one after the other, no ties. */
export function isAsShown(state) {
  return state.unranked.length === 0 && state.tiers.every((items, index) => items.length === 1 && items[0] === index);
}

/** The state of an answer in displayed places. */
export function rankingOf(count, tiers) {
  const placed = tiers.flat();
  const unranked = emptyRanking(count).unranked.filter((item) => !placed.includes(item));
  return { tiers: tiers.map((items) => [...items].sort((a, b) => a - b)), unranked, last: placed, isTieNext: false };
}

/** 1 for the best; items of one tier share a rank. */
export function rankOf(state, item) {
  const tier = state.tiers.findIndex((items) => items.includes(item));
  if (tier < 0) return null;
  return { rank: 1 + state.tiers.slice(0, tier).flat().length, isTied: state.tiers[tier].length > 1 };
}

function placed(state, tiers, item) {
  return {
    tiers: tiers.map((items) => [...items].sort((a, b) => a - b)),
    unranked: state.unranked.filter((other) => other !== item),
    last: [...state.last.filter((other) => other !== item), item],
    isTieNext: false,
  };
}

function without(tiers, item) {
  return tiers.map((items) => items.filter((other) => other !== item)).filter((items) => items.length > 0);
}

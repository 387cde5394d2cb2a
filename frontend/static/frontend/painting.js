// The browser draws first what the labeler waits for.

const LONGEST_MS = 100; // a page in the background draws nothing

/** Run once the browser has drawn what has just changed. */
export function afterPaint(run) {
  let hasRun = false;
  const once = () => {
    if (hasRun) return;
    hasRun = true;
    clearTimeout(timer);
    run();
  };
  const timer = setTimeout(once, LONGEST_MS);
  requestAnimationFrame(() => {
    const channel = new MessageChannel(); // its message comes after the frame
    channel.port1.onmessage = once;
    channel.port2.postMessage(null);
  });
}

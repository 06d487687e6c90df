// What this browser keeps of how somebody likes tables: hidden columns, widths, density; by user, nothing of it is data.
export const HEAD_STOPS = "thead th > input, thead .head > button, thead .head > .menu > summary";
const LEAST = 60, MOST = 900;

export function kept(user, name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`${user} ${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(user, name, value) {
  localStorage.setItem(`${user} ${name}`, JSON.stringify(value));
}

export function resized(width, step) {
  return Math.round(Math.max(LEAST, Math.min(MOST, width + step)));
}

export function styled(px) {
  return px ? { width: `${px}px`, minWidth: `${px}px`, maxWidth: `${px}px` } : undefined;
}

// Drag the edge of a column: the width follows, and is kept when the pointer is let go.
export function grip(set) {
  let from = 0;
  return {
    class: "grip", "aria-hidden": "true",
    onPointerdown: (event) => {
      from = event.clientX;
      event.target.setPointerCapture(event.pointerId);
      event.preventDefault();
    },
    onPointermove: (event) => {
      if (!event.target.hasPointerCapture(event.pointerId) || event.clientX === from) return;
      set(event.clientX - from);
      from = event.clientX;
    },
    onDblclick: () => set(null),
  };
}

// What the browser remembers. In a frame it may refuse to; the console then forgets on reload.

const kept = (storage) => ({
  read(key) {
    try {
      return storage().getItem(key);
    } catch {
      return null;
    }
  },
  write(key, value) {
    try {
      storage().setItem(key, value);
    } catch {
      // Refused: forgotten on reload.
    }
  },
  forget(key) {
    try {
      storage().removeItem(key);
    } catch {
      // Refused: nothing was kept.
    }
  },
});

/** Of this tab. */
export const tab = kept(() => sessionStorage);
/** Of this browser. */
export const browser = kept(() => localStorage);

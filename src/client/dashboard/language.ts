// Goes before uPlot, which takes the browser's language as it is. WebKitGTK with the locale C has one
// that is none, and its Intl throws.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en' });
}
export {};

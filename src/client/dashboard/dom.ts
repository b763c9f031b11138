// The page's elements, as text: nothing from outside is ever read as HTML.

/** Elements of the page are there, or the page is another one. */
export const $ = <T extends HTMLElement = HTMLElement>(id: string) =>
  document.getElementById(id) as T;

export function write(id: string, text: string) {
  const element = $(id);
  if (element.textContent !== text) element.textContent = text;
}

export const show = (id: string, shown: boolean) => {
  $(id).hidden = !shown;
};

type Child = Node | string;
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Where it speaks politely, at most once in this time, however often it is told: a count changes each second. */
const SPOKEN_EVERY_MS = 30_000;

export function createSpeaker(id: string) {
  let spoken = '';
  let wanted = '';
  let timer: number | undefined;
  const speak = () => {
    timer = undefined;
    if (wanted === spoken) return;
    spoken = wanted;
    write(id, spoken);
    timer = window.setTimeout(speak, SPOKEN_EVERY_MS);
  };
  return (text: string) => {
    wanted = text;
    if (timer === undefined) speak();
  };
}

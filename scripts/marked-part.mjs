// Pages of docs/ of which a script writes a part, between two lines.

/**
 * The page with this part instead of its own.
 * @param {string} page
 * @param {{ begin: string, end: string }} marks  the lines before and behind it
 * @param {string} part
 */
export function withMarkedPart(page, { begin, end }, part) {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no lines ${begin} and ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${part}\n\n${page.slice(to)}`;
}

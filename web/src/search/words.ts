/** Words of a message, as a click takes them. */

export interface Piece {
  text: string;
  word: boolean;
}

/** Words and what stands between them. What holds together in a log (addresses, paths, ids) is one word. Pure. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(/[\p{L}\p{N}_](?:[\p{L}\p{N}_.:/@\-]*[\p{L}\p{N}_])?/gu)) {
    if (match.index > at) found.push({ text: text.slice(at, match.index), word: false });
    found.push({ text: match[0], word: true });
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push({ text: text.slice(at), word: false });
  return found;
}

/** The word that holds the character at `offset`, or null between words. */
export function wordAt(text: string, offset: number): string | null {
  let end = 0;
  for (const piece of pieces(text)) {
    end += piece.text.length;
    if (offset < end) return piece.word ? piece.text : null;
  }
  return null;
}

/** The word under a point of the window, if a text is there. */
export function wordAtPoint(x: number, y: number): string | null {
  const place = document.caretPositionFromPoint?.(x, y) ?? null;
  if (!place || place.offsetNode.nodeType !== Node.TEXT_NODE) return null;
  return wordAt(place.offsetNode.textContent ?? "", place.offset);
}

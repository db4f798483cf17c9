// Asks the server, and turns whatever it says no to into a sentence.

export class Refused extends Error {}

export async function ask<T>(path: string, method = "GET"): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { method });
  } catch {
    throw new Refused("The server does not answer: has it ended?");
  }
  if (answer.ok) return (await answer.json()) as T;
  const text = await answer.text();
  let sentence = text;
  try {
    sentence = (JSON.parse(text) as { error: string }).error;
  } catch {
    // Not every refusal comes from the explorer: an address may be too long for any server.
  }
  throw new Refused(sentence || `The server says ${answer.status}.`);
}

// Ask every second whether a grade arrived; replace the table when one did.
const grades = document.getElementById("grades");
const news = document.getElementById("news");

function readScores() {
  const scores = new Map();
  for (const mark of grades.querySelectorAll("[data-score]")) {
    const column = mark.closest("[data-line-item]").dataset.lineItem;
    const person = mark.closest("[data-person]").dataset.person;
    scores.set(column + "/" + person, mark);
  }
  return scores;
}

async function refresh() {
  const newest = grades.firstElementChild.dataset.newest;
  const answer = await fetch(grades.dataset.rows + "&after=" + newest, { cache: "no-store" });
  if (answer.status !== 200 || answer.redirected) return;
  const before = new Map([...readScores()].map(([key, mark]) => [key, mark.dataset.score]));
  const scroll = grades.querySelector(".scroll")?.scrollLeft ?? 0;
  grades.innerHTML = await answer.text();
  const region = grades.querySelector(".scroll");
  if (region) region.scrollLeft = scroll;
  let changed = 0;
  for (const [key, mark] of readScores()) {
    if (before.get(key) !== mark.dataset.score) {
      mark.closest("td").classList.add("new");
      changed += 1;
    }
  }
  if (changed) news.textContent = changed === 1 ? "A grade arrived." : changed + " grades arrived.";
}

setInterval(() => { if (!document.hidden) refresh().catch(() => {}); }, 1000);

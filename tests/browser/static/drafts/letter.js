/** What a page's own scripts do to its forms. */

const heard = (window.heard = []);
for (const type of ["input", "change", "click"]) {
  document.addEventListener(type, ({ target }) => {
    if (target.form) heard.push(`${type} ${target.name}`);
  });
}

/** A form that a framework makes when the page is there already. */
window.addLater = () => {
  const form = document.createElement("form");
  form.dataset.idlewatchDraft = "later";
  const field = document.createElement("input");
  field.name = "note";
  form.append(field);
  document.getElementById("later").replaceChildren(form);
};

/** A form that a script sends. */
window.takeOver = () => {
  const form = document.getElementById("letter");
  form.addEventListener("submit", (event) => event.preventDefault());
};

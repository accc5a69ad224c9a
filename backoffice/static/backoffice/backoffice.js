/* Everywhere in the back office: a choice marked data-submits sends its form by itself; the button beside it is for who has no script. */
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});
/* The theme writes the name of a chosen file into a field of its own, which our pages have not. */
document.addEventListener("change", (event) => {
  if (event.target.matches(".desk input[type=file]")) event.stopPropagation();
}, true);

/* The theme gives every scrolling part the same name. Each gets its own, before the theme's script names them. */
document.addEventListener("DOMContentLoaded", () => {
  const [menu, table] = document.documentElement.lang === "ru" ? ["Меню", "Таблица"] : ["Menu", "Table"];
  document.querySelectorAll("[data-simplebar]").forEach((part, place) => {
    part.dataset.simplebarAriaLabel = part.closest("#nav-sidebar") ? menu : `${table} ${place}`;
  });
});

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const command = button.previousElementSibling;
    const status = document.getElementById("status");
    try {
      await navigator.clipboard.writeText(command.textContent);
      status.textContent = "Command copied";
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(command);
      status.textContent = "Command selected";
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
addEventListener("beforeprint", () => { for (const folded of document.querySelectorAll("details")) folded.open = true; });

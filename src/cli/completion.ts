// millrace completion: a script with which a shell completes verbs, actions, options and names.

import { Argument, type Command } from "commander";
import { bashScript } from "./completion-bash.ts";
import { fishScript } from "./completion-fish.ts";
import { type CommandOffered, completionTree, SHELLS, type Shell } from "./completion-tree.ts";
import { zshScript } from "./completion-zsh.ts";
import { type CliContext, withExamples } from "./context.ts";

const SCRIPTS: Readonly<Record<Shell, (tree: readonly CommandOffered[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("completion")
    .summary("a script with which your shell completes commands")
    .description(
      "Prints a script with which a shell completes verbs, actions, options and names of settings. It asks nothing while you type.",
    )
    .addArgument(new Argument("<shell>", `one of ${SHELLS.join(", ")}`).choices(SHELLS))
    .action(async (shell: Shell) => {
      const script = SCRIPTS[shell](completionTree(await context.wholeProgram()));
      context.out.row({ shell, script }, script.trimEnd());
    });
  withExamples(
    verb,
    "source <(millrace completion bash)",
    "millrace completion fish > ~/.config/fish/completions/millrace.fish",
  );
}

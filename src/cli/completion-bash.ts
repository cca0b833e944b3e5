// The completion script for bash: tables made of the program, and a walk over the words that stand before the cursor. It
// needs no bash-completion, and works with the bash 3.2 of macOS.

import type { CommandOffered, OptionOffered } from "./completion-tree.ts";

export function bashScript(tree: readonly CommandOffered[]): string {
  return `# Completion of millrace for bash. In ~/.bashrc: source <(millrace completion bash)
_millrace() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" path="" words="" index
  COMPREPLY=()
  # --option=value arrives as three words.
  if [[ "$cur" == "=" ]]; then cur=""; fi
  if [[ "$prev" == "=" ]]; then prev="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ "\${COMP_WORDS[index-1]}" == --config ]]; then continue; fi
    case "$path/\${COMP_WORDS[index]}" in
      ${paths(tree).join("|")}) path="$path/\${COMP_WORDS[index]}" ;;
    esac
  done
  case "$path $prev" in
${behindOptions(tree)}
  esac
  case "$path" in
${tree.map(wordsOf).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _millrace millrace
`;
}

function paths(tree: readonly CommandOffered[]): string[] {
  return tree.map(({ path }) => path).filter((path) => path !== "");
}

/** What stands behind an option is no command and no other option. */
function behindOptions(tree: readonly CommandOffered[]): string {
  const cases = tree.flatMap(({ path, options }) =>
    options
      .filter(({ takes }) => takes !== "nothing")
      .map((option) => `    "${path} ${option.long}") ${replyFor(option)}; return ;;`),
  );
  return cases.join("\n");
}

function replyFor({ takes, names }: OptionOffered): string {
  if (takes === "file") return 'COMPREPLY=($(compgen -f -- "$cur"))';
  if (takes === "folder") return 'COMPREPLY=($(compgen -d -- "$cur"))';
  return `COMPREPLY=($(compgen -W "${names.join(" ")}" -- "$cur"))`;
}

/** Options are offered once somebody begins one, or where there is nothing else. */
function wordsOf({ path, children, options, names }: CommandOffered): string {
  const first = [...children.map(({ name }) => name), ...names].join(" ");
  const flags = options.map(({ long }) => long).join(" ");
  const words =
    first === "" ? `words="${flags}"` : `words="${first}"; if [[ "$cur" == -* ]]; then words="${flags}"; fi`;
  return `    "${path}") ${words} ;;`;
}

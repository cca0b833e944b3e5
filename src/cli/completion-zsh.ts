// The completion script for zsh: the same walk as bash's, with a description beside each word.

import type { CommandOffered, OptionOffered } from "./completion-tree.ts";

export function zshScript(tree: readonly CommandOffered[]): string {
  const paths = tree.map(({ path }) => path).filter((path) => path !== "");
  return `#compdef millrace
# Completion of millrace for zsh. In a folder of $fpath: millrace completion zsh > _millrace
_millrace() {
  local route="" word previous="\${words[CURRENT-1]}"
  local -a offered flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$route/$word" in
      ${paths.join("|")}) route="$route/$word" ;;
    esac
  done
  case "$route $previous" in
${tree.flatMap(behindOptions).join("\n")}
  esac
  case "$route" in
${tree.map(wordsOf).join("\n")}
  esac
  if [[ "\${words[CURRENT]}" == -* || \${#offered} -eq 0 ]]; then
    _describe 'option' flags
  else
    _describe 'command' offered
  fi
}
if [[ "$funcstack[1]" = _millrace ]]; then _millrace "$@"; else compdef _millrace millrace; fi
`;
}

function behindOptions({ path, options }: CommandOffered): string[] {
  return options
    .filter(({ takes }) => takes !== "nothing")
    .map((option) => `    "${path} ${option.long}") ${replyFor(option)}; return ;;`);
}

function replyFor({ takes, names }: OptionOffered): string {
  if (takes === "file") return "_files";
  if (takes === "folder") return "_files -/";
  return names.length === 0 ? "_message 'value'" : `compadd -- ${names.join(" ")}`;
}

function wordsOf({ path, children, options, names }: CommandOffered): string {
  const offered = [
    ...children.map(({ name, summary }) => entry(name, summary)),
    ...names.map((name) => entry(name, "")),
  ];
  const flags = options.map(({ long, description }) => entry(long, description));
  return `    "${path}") offered=(${offered.join(" ")}); flags=(${flags.join(" ")}) ;;`;
}

/** `'name:what it does'`; a colon within would end the name. */
function entry(name: string, description: string): string {
  const text = description === "" ? name : `${name}:${description.replaceAll(":", "\\:")}`;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// The completion script for fish: a line for each word, under the command that it belongs to.

import type { CommandOffered, OptionOffered } from "./completion-tree.ts";

export function fishScript(tree: readonly CommandOffered[]): string {
  const paths = tree.map(({ path }) => path).filter((path) => path !== "");
  return `# Completion of millrace for fish: millrace completion fish > ~/.config/fish/completions/millrace.fish
function __millrace_path
  set -l path ''
  set -l words (commandline -opc)
  for word in $words[2..-1]
    switch "$path/$word"
      case ${paths.map(quoted).join(" ")}
        set path "$path/$word"
    end
  end
  echo "at:$path"
end
complete -c millrace -f
${tree.flatMap(linesOf).join("\n")}
`;
}

function linesOf({ path, children, options, names }: CommandOffered): string[] {
  const at = `complete -c millrace -n ${quoted(`test (__millrace_path) = at:${path}`)}`;
  return [
    ...children.map(({ name, summary }) => `${at} -a ${quoted(name)} -d ${quoted(summary)}`),
    ...(names.length === 0 ? [] : [`${at} -a ${quoted(names.join(" "))}`]),
    ...options.map(
      (option) => `${at} -l ${option.long.replace(/^--/, "")}${behind(option)} -d ${quoted(option.description)}`,
    ),
  ];
}

function behind({ takes, names }: OptionOffered): string {
  if (takes === "nothing") return "";
  if (takes === "file") return " -r -F";
  if (takes === "folder") return " -x -a '(__fish_complete_directories)'";
  return names.length === 0 ? " -x" : ` -x -a ${quoted(names.join(" "))}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

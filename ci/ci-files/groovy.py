"""Parses Groovy files; says where one cannot be read. Usage: groovy.py FILE..."""

import pathlib
import sys

import tree_sitter
import tree_sitter_groovy


def errors(node):
    if node.type == "ERROR" or node.is_missing:
        yield node
    for child in node.children:
        yield from errors(child)


def main(paths):
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language()))
    wrong = 0
    for path in paths:
        for node in errors(parser.parse(pathlib.Path(path).read_bytes()).root_node):
            print(f"{path}:{node.start_point[0] + 1}: not Groovy", file=sys.stderr)
            wrong += 1
    print(f"groovy: {len(paths)} file, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

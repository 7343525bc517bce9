/** Which public names have no docstring: what the entries export, followed through the sources, and the members of it. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { parseSync } from 'vite';

/** As far as it's read here, a node of the syntax tree. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  // biome-ignore lint/suspicious/noExplicitAny: nodes are of some hundred kinds, and those that are read are told apart by `type`.
  readonly [key: string]: any;
}

interface Source {
  readonly file: string;
  readonly text: string;
  readonly body: readonly Node[];
  /** Ends of docstrings. */
  readonly said: ReadonlySet<number>;
}

export interface PublicName {
  /** Of the repository, with slashes. */
  readonly file: string;
  readonly line: number;
  /** `Interface.member`, say. */
  readonly name: string;
  readonly documented: boolean;
}

interface Member {
  readonly name: string;
  readonly isOverride: boolean;
}

/** Types that take one as it is, or a part of it. */
const UTILITIES = ['Omit', 'Pick', 'Partial', 'Readonly'];
const ROOT = join(import.meta.dirname, '..', '..');
const nameOf = (key: Node | undefined): string => key?.name ?? String(key?.value ?? '');

/** Everything that these files export, as sources say it, with its public members, in the order of files and lines. */
export function publicNames(entries: readonly string[]): PublicName[] {
  const sources = new Map<string, Source>();
  const found = new Map<string, PublicName>();

  function sourceOf(file: string): Source {
    const known = sources.get(file);
    if (known) return known;
    const text = readFileSync(file, 'utf8');
    const { program, comments, errors } = parseSync(file, text);
    if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
    const said = new Set(
      comments.filter(({ type, value }) => type === 'Block' && value.startsWith('*')).map(({ end }) => end),
    );
    const source = { file, text, body: program.body as unknown as Node[], said };
    sources.set(file, source);
    return source;
  }

  /** Whether the nearest comment before it is a docstring. */
  function isSaid({ text, said }: Source, start: number): boolean {
    const before = text.slice(0, start).replace(/(?:\s|\/\/ biome-ignore[^\n]*\n|\/\* @__\w+__ \*\/)+$/, '');
    return said.has(before.length);
  }

  function note(source: Source, start: number, name: string, documented = isSaid(source, start)): boolean {
    const line = source.text.slice(0, start).split('\n').length;
    const file = relative(ROOT, source.file).split(sep).join('/');
    found.set(`${file}:${start}`, { file, line, name, documented });
    return documented;
  }

  const target = (source: Source, from: Node): string | undefined => {
    const file = join(dirname(source.file), String(from.value));
    return String(from.value).startsWith('.') && /\.tsx?$/.test(file) && existsSync(file) ? file : undefined;
  };

  /** Where a name of a file is declared, through imports and exports. */
  function declarationOf(source: Source, name: string): [Source, Node, number] | undefined {
    for (const node of source.body) {
      const declared = node.type === 'ExportNamedDeclaration' ? (node.declaration as Node | null) : node;
      if (declared?.type === 'VariableDeclaration') {
        if (declared.declarations.some(({ id }: Node) => nameOf(id) === name))
          return [source, declared, node.start];
      } else if (declared && nameOf(declared.id) === name) return [source, declared, node.start];
      const from = node.source ? target(source, node.source) : undefined;
      for (const one of (node.specifiers ?? []) as Node[]) {
        const here = node.type === 'ImportDeclaration' ? one.local : one.exported;
        if (nameOf(here) !== name) continue;
        const there = node.type === 'ImportDeclaration' ? one.imported : one.local;
        if (from) return declarationOf(sourceOf(from), nameOf(there));
        if (nameOf(there) !== name) return declarationOf(source, nameOf(there));
      }
      if (node.type === 'ExportAllDeclaration' && from) {
        const below = declarationOf(sourceOf(from), name);
        if (below) return below;
      }
    }
    return undefined;
  }

  /** What a class or an interface extends or implements; the one in `Omit<One, ...>`. */
  function heritageOf(declared: Node): Node[] {
    const listed: Node[] = [
      ...(declared.implements ?? []),
      ...(Array.isArray(declared.extends) ? declared.extends : []),
    ];
    return [
      ...(declared.superClass ? [declared.superClass as Node] : []),
      ...listed.map(({ expression, typeArguments }) =>
        UTILITIES.includes(nameOf(expression)) ? typeArguments.params[0].typeName : expression,
      ),
    ].filter((one) => one?.type === 'Identifier');
  }

  /** Whether a class or an interface that this one extends or implements says what a member is. */
  function isInherited(source: Source, declared: Node, member: Member, depth = 0): boolean {
    // Of a class of another package: its own documentation says it.
    const isForeign = declared.superClass && declared.superClass.type !== 'Identifier';
    if (isForeign && member.isOverride) return true;
    return heritageOf(declared).some((one) => {
      const there = declarationOf(source, nameOf(one));
      const members: readonly Node[] | undefined =
        there?.[1].body?.body ?? there?.[1].typeAnnotation?.members;
      if (!there || !members) return member.isOverride;
      const [of, node] = there;
      if (depth > 8) return false;
      return (
        members.some((other) => nameOf(other.key) === member.name && isSaid(of, other.start)) ||
        isInherited(of, node, member, depth + 1)
      );
    });
  }

  function visitMembers(source: Source, declared: Node, members: readonly Node[], of: string): void {
    const seen = new Set<string>();
    for (const member of members) {
      const name = nameOf(member.key);
      const hidden =
        member.key === undefined ||
        member.key?.type === 'PrivateIdentifier' ||
        member.computed ||
        member.kind === 'constructor' ||
        ['private', 'protected'].includes(member.accessibility);
      // An overload, and the other one of get and set, say no more than the first.
      if (hidden || seen.has(name)) continue;
      seen.add(name);
      const full = `${of}.${name}`;
      note(
        source,
        member.start,
        full,
        isSaid(source, member.start) ||
          isInherited(source, declared, { name, isOverride: member.override === true }),
      );
      visitType(source, declared, member.typeAnnotation?.typeAnnotation, full);
    }
  }

  /** Members of an object's type, wherever in a type it's written out. */
  function visitType(source: Source, declared: Node, type: Node | undefined, of: string): void {
    if (!type) return;
    if (type.type === 'TSTypeLiteral') {
      // What is written in one line is said by the docstring above it.
      if (source.text.slice(type.start, type.end).includes('\n')) {
        visitMembers(source, declared, type.members, of);
      }
    } else if (type.type === 'TSUnionType' || type.type === 'TSIntersectionType') {
      for (const one of type.types as Node[]) visitType(source, declared, one, of);
    } else if (type.type === 'TSArrayType') visitType(source, declared, type.elementType, of);
    else if (type.type === 'TSTypeOperator') visitType(source, declared, type.typeAnnotation, of);
  }

  function visitDeclaration(source: Source, declared: Node, start: number): void {
    if (declared.type === 'VariableDeclaration') {
      for (const { id } of declared.declarations as Node[]) note(source, start, nameOf(id));
      return;
    }
    const name = nameOf(declared.id);
    note(source, start, name);
    if (declared.type === 'TSInterfaceDeclaration' || declared.type === 'ClassDeclaration')
      visitBody(source, declared);
    else if (declared.type === 'TSTypeAliasDeclaration')
      visitType(source, declared, declared.typeAnnotation, name);
  }

  /** Members, inherited ones too: they are public, where their owner isn't. */
  function visitBody(source: Source, declared: Node): void {
    visitMembers(source, declared, declared.body.body, nameOf(declared.id));
    for (const one of heritageOf(declared)) {
      const there = declarationOf(source, nameOf(one));
      if (there?.[1].body?.body) visitBody(there[0], there[1]);
    }
  }

  const visited = new Set<string>();
  function visitFile(file: string): void {
    if (visited.has(file)) return;
    visited.add(file);
    const source = sourceOf(file);
    for (const node of source.body) {
      if (node.type === 'ExportAllDeclaration') {
        const from = target(source, node.source);
        if (from) visitFile(from);
      } else if (node.type === 'ExportNamedDeclaration') {
        if (node.declaration) visitDeclaration(source, node.declaration, node.start);
        for (const { exported } of node.specifiers as Node[]) {
          const there = declarationOf(source, nameOf(exported));
          if (there) visitDeclaration(...there);
        }
      }
    }
  }
  for (const entry of entries) visitFile(entry);
  return [...found.values()].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line));
}

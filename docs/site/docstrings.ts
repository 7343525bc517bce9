/** What TypeDoc found in the docstrings, as far as pages are made of it. */

interface Part {
  readonly kind: string;
  readonly text: string;
}

interface Comment {
  readonly summary?: readonly Part[];
  readonly blockTags?: readonly { readonly tag: string; readonly content: readonly Part[] }[];
}

interface Type {
  readonly type: string;
  readonly name?: string;
  readonly value?: unknown;
  readonly target?: number | object;
  readonly types?: readonly Type[];
  readonly elementType?: Type;
  readonly elements?: readonly Type[];
  readonly operator?: string;
  readonly typeArguments?: readonly Type[];
  readonly declaration?: Reflection;
  readonly package?: string;
}

export interface Reflection {
  readonly id: number;
  readonly name: string;
  readonly kind: number;
  readonly flags?: { readonly isOptional?: boolean };
  readonly comment?: Comment;
  readonly children?: readonly Reflection[];
  readonly signatures?: readonly Reflection[];
  readonly parameters?: readonly Reflection[];
  readonly type?: Type;
}

export interface Option {
  readonly name: string;
  readonly optional: boolean;
  readonly type: string;
  readonly says: string;
}

export interface Documented {
  readonly says: string;
  /** The code of its `@example`. */
  readonly example: string | undefined;
  readonly options: readonly Option[];
}

/** All that TypeDoc knows, by room and name. */
export class Docstrings {
  readonly #root: Reflection;
  readonly #byId = new Map<number, Reflection>();

  constructor(root: Reflection) {
    this.#root = root;
    const visit = (reflection: Reflection): void => {
      this.#byId.set(reflection.id, reflection);
      for (const list of [reflection.children, reflection.signatures, reflection.parameters]) {
        for (const one of list ?? []) visit(one);
      }
      if (reflection.type?.declaration) visit(reflection.type.declaration);
    };
    visit(root);
  }

  /** A function of a room with its options. @throws Error where there is none */
  functionOf(room: string, name: string): Documented {
    const module = this.#root.children?.find((one) => one.name === room);
    const found = module?.children?.find((one) => one.name === name);
    // What `defineLayer` gave is a constant, whose options are its type's.
    const signature = found?.signatures?.[0] ?? found;
    if (signature === undefined) throw new Error(`TypeDoc found no function ${name} in ${room}`);
    const example = signature.comment?.blockTags?.find(({ tag }) => tag === '@example');
    return {
      says: textOf(signature.comment?.summary),
      example: example && textOf(example.content).replace(/^[\s\S]*?```\w*\n|\n```[\s\S]*$/g, ''),
      options:
        signature.signatures === undefined && signature.parameters === undefined
          ? definedOptions(signature.type)
          : this.#optionsOf(signature.parameters?.[0]?.type),
    };
  }

  #optionsOf(type: Type | undefined): readonly Option[] {
    if (type === undefined) return [];
    if (type.type === 'reference') {
      // Omit<Options, ...>, Pick<...>, Readonly<...>
      const [first, second] = type.typeArguments ?? [];
      if (first !== undefined) {
        const named = (second?.types ?? (second === undefined ? [] : [second])).map(({ value }) => value);
        return this.#optionsOf(first).filter(
          ({ name }) => type.name === 'Readonly' || named.includes(name) === (type.name === 'Pick'),
        );
      }
      const target = typeof type.target === 'number' ? this.#byId.get(type.target) : undefined;
      return target?.children !== undefined ? options(target.children) : this.#optionsOf(target?.type);
    }
    if (type.type === 'intersection') return (type.types ?? []).flatMap((one) => this.#optionsOf(one));
    return options(type.declaration?.children ?? []);
  }
}

function options(children: readonly Reflection[]): Option[] {
  return children.map(({ name, flags, type, comment }) => ({
    name,
    optional: flags?.isOptional === true,
    type: typeText(type),
    says: textOf(comment?.summary).replaceAll(/\s+/g, ' '),
  }));
}

/** Options of a layer that was made by `defineLayer`, by the type of its definition. */
function definedOptions(type: Type | undefined): Option[] {
  const all = type?.typeArguments?.[0]?.declaration?.children ?? [];
  return all.map(({ name, type: of }) => {
    const members = new Map(of?.declaration?.children?.map((one) => [one.name, one.type]) ?? []);
    const said = members.get('says')?.value;
    const value = members.get('default');
    return {
      name,
      optional: value !== undefined || members.has('quantizer'),
      type: members.has('quantizer')
        ? 'QuantizerLike'
        : typeof value?.value === 'string'
          ? 'string'
          : 'number',
      says: [
        ...(typeof said === 'string' ? [`${said}.`] : []),
        ...(value?.value === undefined ? [] : [`Default ${value.value}.`]),
      ].join(' '),
    };
  });
}

function textOf(parts: readonly Part[] | undefined): string {
  return (parts ?? []).map(({ text }) => text).join('');
}

function typeText(type: Type | undefined): string {
  switch (type?.type) {
    case 'literal':
      return typeof type.value === 'string' ? `'${type.value}'` : String(type.value);
    case 'union':
      return (type.types ?? []).map(typeText).join(' | ');
    case 'array':
      return `${typeText(type.elementType)}[]`;
    case 'tuple':
      return `[${(type.elements ?? []).map(typeText).join(', ')}]`;
    case 'typeOperator':
      return typeText(type.target as Type);
    case 'namedTupleMember':
      return `${type.name}: ${typeText((type as { element?: Type }).element)}`;
    case 'reflection':
      return 'object';
    default:
      return type?.name ?? 'unknown';
  }
}

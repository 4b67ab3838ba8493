namespace VfioUser.Tool.Decoding;

/// <summary>One thing that a message says. Immutable.</summary>
/// <param name="Name">The specification's name for it.</param>
/// <param name="Text">For people.</param>
/// <param name="Number">The same for programs, if it is a number.</param>
/// <param name="Items">The same for programs, if it is a list.</param>
internal sealed record Field(string Name, string Text, ulong? Number = null, IReadOnlyList<string>? Items = null);

namespace VfioUser.Tool.Decoding;

/// <summary>One decoded field of a message. Immutable.</summary>
/// <param name="Name">The specification's name for it.</param>
/// <param name="Text">The value as text.</param>
/// <param name="Number">The value, if it is a number.</param>
/// <param name="Items">The value, if it is a list.</param>
internal sealed record Field(string Name, string Text, ulong? Number = null, IReadOnlyList<string>? Items = null);

namespace VfioUser.Tool.Registers;

/// <summary>The document in a server's register map. Untrusted until <see cref="MapReader"/> has checked it.</summary>
internal sealed record MapDocument(int Version, IReadOnlyList<MappedRegister>? Registers, int? Omitted);

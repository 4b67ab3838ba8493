namespace VfioUser.Layers.Tests;

/// <summary>Code of one type names another type of its assembly.</summary>
/// <param name="FromFolder">Where that code stands, relative to the project.</param>
/// <param name="From">The outermost type around it.</param>
/// <param name="ToFolder">Where the named type is declared.</param>
/// <param name="To">The outermost type around the named one.</param>
internal sealed record Arrow(string FromFolder, string From, string ToFolder, string To)
{
    public override string ToString() => $"{FromFolder}: {From} -> {To} ({ToFolder})";
}

namespace VfioUser.Tool.Comparing;

/// <summary>A command and its reply, or another event of a recording. Immutable.</summary>
/// <param name="Number">Number of its first record in the recording, from 1.</param>
/// <param name="Key">The same for two that are the same, whatever their ids and times.</param>
/// <param name="Text">In a line.</param>
internal sealed record Exchange(int Number, string Key, string Text);

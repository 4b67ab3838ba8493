using System.Text.Json;

namespace VfioUser.Tool.Scratch;

/// <summary>Reads a description from a file; error messages have line, column and property.</summary>
internal static class DeviceFileReader
{
    private const string Appended = " Path: ";

    /// <exception cref="ToolException">The file is no valid description.</exception>
    public static DeviceFile Read(string path)
    {
        byte[] text = File.ReadAllBytes(path);
        ReadOnlySpan<byte> json = text.AsSpan().StartsWith("\uFEFF"u8) ? text.AsSpan(3) : text;
        try
        {
            return JsonSerializer.Deserialize(json, DeviceFileJson.Default.DeviceFile) ?? throw new ToolException($"{path}: null is no device.");
        }
        catch (JsonException e)
        {
            string location = e.Path is null or "$" ? "" : $" at {e.Path.TrimStart('$').TrimStart('.')}";
            throw new ToolException($"{path}, line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}{location}: {Problem(e)}");
        }
    }

    // the serializer's messages name types of this program
    private static string Problem(JsonException e)
    {
        int appended = e.Message.IndexOf(Appended, StringComparison.Ordinal);
        string message = appended < 0 ? e.Message : e.Message[..appended];
        if (message.Contains("could not be mapped", StringComparison.Ordinal))
            return "there is no such property.";
        return message.Contains("could not be converted", StringComparison.Ordinal) ? "the value has the wrong type." : message.TrimEnd('.') + ".";
    }
}

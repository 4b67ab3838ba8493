namespace VfioUser.Tool.Inspecting;

/// <summary>A server's text, without the control characters of which terminals make escape sequences.</summary>
internal static class PrintableText
{
    public static string Of(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));
}

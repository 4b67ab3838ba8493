using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Virtio;

/// <summary>A file that the guest has a number for.</summary>
/// <param name="path">The file itself, without rights to its content (O_PATH); it may be a link. Owned.</param>
internal sealed class NinePFid(SafeFileHandle path) : IDisposable
{
    /// <summary>What stands for the file in calls.</summary>
    public SafeFileHandle Path { get; private set; } = path;

    /// <summary>Its content, if it is open. Owned.</summary>
    public SafeFileHandle? Content { get; set; }

    /// <summary>Whether the content may be written.</summary>
    public bool IsWritable { get; set; }

    /// <summary>An absolute path that names an open file and no other, for calls that take no descriptor.</summary>
    public static byte[] NameOf(SafeFileHandle file) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file.DangerousGetHandle()}\0"));

    /// <inheritdoc cref="NameOf"/>
    public byte[] Name() => NameOf(Path);

    /// <summary>The number is another file's.</summary>
    public void Become(SafeFileHandle other)
    {
        Path.Dispose();
        Path = other;
    }

    public void Dispose()
    {
        Content?.Dispose();
        Path.Dispose();
    }
}

using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests.Serving;

/// <summary>Descriptors of all kinds, for clients to send.</summary>
internal static class Files
{
    /// <summary>Memory that cannot shrink, as QEMU sends it.</summary>
    public static SafeFileHandle Sealed(ulong length) => FileCalls.CreateMemory("vfio-user-test", length);

    /// <summary>Memory that its owner can take away again.</summary>
    public static SafeFileHandle Unsealed(long length)
    {
        SafeFileHandle file = new(Libc.MemfdCreate("vfio-user-test", Libc.MfdCloexec | Libc.MfdAllowSealing), ownsHandle: true);
        Libc.Ftruncate(file, length).Should().Be(0);
        return file;
    }

    public static SafeFileHandle DevNull() => File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite);
}

using System.Runtime.InteropServices;

namespace VfioUser.Tests;

/// <summary>Configuration space as a guest sees it, in the widths that a guest uses.</summary>
internal static class GuestConfigAccess
{
    public static readonly PciId Id = new(Vendor: 0x1B36, Device: 0x00F1);

    public static ConfigSpace NewConfig() => new(Id, PciClass.ProcessingAccelerator);

    public static T Guest<T>(this ConfigSpace config, int offset)
        where T : unmanaged
    {
        T value = default;
        config.GuestRead(offset, MemoryMarshal.AsBytes(new Span<T>(ref value)));
        return value;
    }

    public static void Guest<T>(this ConfigSpace config, int offset, T value)
        where T : unmanaged => config.GuestWrite(offset, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    public static byte[] GuestBytes(this ConfigSpace config, int offset, int length)
    {
        byte[] bytes = new byte[length];
        config.GuestRead(offset, bytes);
        return bytes;
    }
}

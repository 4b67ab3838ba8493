using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>A control message, or its beginning.</summary>
/// <remarks>VIRTIO 1.3 5.3.6.2.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct ConsoleMessage(uint Port, ConsoleEvent Event, ushort Value)
{
    public const int Length = 8;
}

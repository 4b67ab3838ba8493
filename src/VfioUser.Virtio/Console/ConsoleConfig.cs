using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>A console's configuration structure.</summary>
/// <remarks>VIRTIO 1.3 5.3.4.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct ConsoleConfig
{
    public const int EmergencyOffset = 8;

    public ushort Columns;
    public ushort Rows;
    public uint Ports;
    public uint Emergency;
}

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>What the driver's commands have set of hashes and their table, as it migrates.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct RssState
{
    public ushort Length; // 0 for nothing
    public byte HasTable;
    public Bytes Settings;

    [InlineArray(RssSettings.MaxLength)]
    public struct Bytes
    {
        private byte _first;
    }

    public static RssState Of(RssSettings? rss)
    {
        RssState state = default;
        if (rss is null)
            return state;
        rss.Settings.CopyTo((Span<byte>)state.Settings);
        (state.Length, state.HasTable) = ((ushort)rss.Settings.Length, rss.HasTable ? (byte)1 : (byte)0);
        return state;
    }

    /// <exception cref="InvalidDataException">No driver can have set it.</exception>
    public readonly RssSettings? ToSettings(int pairs)
    {
        if (Length == 0)
            return null;
        ReadOnlySpan<byte> settings = Length <= RssSettings.MaxLength ? ((ReadOnlySpan<byte>)Settings)[..Length] : [];
        return (HasTable != 0 ? RssSettings.WithTable(settings, pairs) : RssSettings.Hashes(settings))
            ?? throw new InvalidDataException("The hashes of received frames are not valid.");
    }
}

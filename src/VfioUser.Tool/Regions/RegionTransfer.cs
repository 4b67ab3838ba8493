using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Tool.Regions;

/// <summary>Accesses of any length, in as many messages as the server's limits require.</summary>
/// <remarks>An access of more than 8 bytes to configuration space is made in aligned pieces of 4 bytes, as on a bus: some servers
/// crash on a longer one.</remarks>
internal static class RegionTransfer
{
    public static void Read(VfioUserClient client, uint region, ulong offset, Span<byte> destination)
    {
        int most = Math.Min(client.Limits.MaxTransferToSend, client.Limits.MaxTransferToReceive);
        bool inPieces = InPieces(region, destination.Length);
        while (!destination.IsEmpty)
        {
            int count = Math.Min(destination.Length, inPieces ? Piece(offset) : most);
            try
            {
                client.ReadRegion(region, offset, destination[..count]);
            }
            catch (VfioUserException e) when (e.Errno == Errno.EINVAL)
            {
                ThrowIfImpossible(client, region, offset, (uint)count, RegionFlags.Read);
                throw;
            }
            destination = destination[count..];
            offset += (uint)count;
        }
    }

    public static void Write(VfioUserClient client, uint region, ulong offset, ReadOnlySpan<byte> source)
    {
        int most = client.Limits.MaxTransferToSend;
        bool inPieces = InPieces(region, source.Length);
        while (!source.IsEmpty)
        {
            int count = Math.Min(source.Length, inPieces ? Piece(offset) : most);
            try
            {
                client.WriteRegion(region, offset, source[..count]);
            }
            catch (VfioUserException e) when (e.Errno is Errno.EINVAL or Errno.EPERM)
            {
                ThrowIfImpossible(client, region, offset, (uint)count, RegionFlags.Write);
                throw;
            }
            source = source[count..];
            offset += (uint)count;
        }
    }

    /// <summary>Says why an access was refused, if the region tells: the reply has no reason.</summary>
    /// <param name="client">Connected.</param>
    /// <param name="region">Its index.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="count">In bytes.</param>
    /// <param name="access">Read or Write.</param>
    /// <exception cref="ToolException">It tells.</exception>
    public static void ThrowIfImpossible(VfioUserClient client, uint region, ulong offset, uint count, RegionFlags access)
    {
        ulong size;
        RegionFlags flags;
        try
        {
            using ClientRegion about = client.GetRegionInfo(region);
            (size, flags) = (about.Size, about.Info.Flags);
        }
        catch (VfioUserException)
        {
            return; // then the refusal itself is what is known
        }
        if (size == 0)
            throw new ToolException($"The device has no {RegionName.Of(region)}; the command 'info' lists its regions.");
        if (offset > size || count > size - offset)
            throw new ToolException($"{RegionName.Of(region)} has 0x{size:x} bytes: {count} at 0x{offset:x} do not lie in it.");
        if ((flags & access) == 0)
            throw new ToolException($"{RegionName.Of(region)} is {(access == RegionFlags.Write ? "read-only" : "write-only")}.");
    }

    private static bool InPieces(uint region, int length) => region == RegionName.Config && length > sizeof(ulong);

    private static int Piece(ulong offset) => sizeof(uint) - (int)(offset % sizeof(uint));
}

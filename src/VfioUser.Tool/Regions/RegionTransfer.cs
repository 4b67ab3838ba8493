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
                ThrowIfOutside(client, region, offset, count);
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
            catch (VfioUserException e) when (e.Errno == Errno.EINVAL)
            {
                ThrowIfOutside(client, region, offset, count);
                throw;
            }
            source = source[count..];
            offset += (uint)count;
        }
    }

    // the reply has no reason, but the region may say it
    private static void ThrowIfOutside(VfioUserClient client, uint region, ulong offset, int count)
    {
        ulong size;
        try
        {
            using ClientRegion about = client.GetRegionInfo(region);
            size = about.Size;
        }
        catch (VfioUserException)
        {
            return; // then the refusal itself is what is known
        }
        if (size == 0)
            throw new ToolException($"The device has no {RegionName.Of(region)}; the command 'info' lists its regions.");
        if (offset > size || (uint)count > size - offset)
            throw new ToolException($"{RegionName.Of(region)} has 0x{size:x} bytes: {count} at 0x{offset:x} do not lie in it.");
    }

    private static bool InPieces(uint region, int length) => region == RegionName.Config && length > sizeof(ulong);

    private static int Piece(ulong offset) => sizeof(uint) - (int)(offset % sizeof(uint));
}

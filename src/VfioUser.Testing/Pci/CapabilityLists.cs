namespace VfioUser.Testing;

/// <summary>Reads the two capability lists of configuration space, and detects loops and invalid links.</summary>
internal static class CapabilityLists
{
    private const int FirstOffset = 0x40;

    public static List<GuestCapability> Read(GuestRegion config)
    {
        List<GuestCapability> found = [];
        if ((config.Read<ushort>(ConfigRegister.Status) & ConfigRegister.StatusCapabilitiesList) != 0)
            ReadStandard(config, found);
        if (config.GetSize() > ConfigRegister.Extended)
            ReadExtended(config, found);
        return found;
    }

    private static void ReadStandard(GuestRegion config, List<GuestCapability> found)
    {
        HashSet<int> seen = [];
        // the two low bits are reserved and must be masked
        for (int at = config.Read<byte>(ConfigRegister.CapabilitiesPointer) & 0xFC; at != 0; at = config.Read<byte>(at + 1) & 0xFC)
        {
            if (at < FirstOffset)
                throw new TestGuestException($"The capability list leads from {Last(found)} to 0x{at:x}, which lies in the header.");
            Enter(seen, at, "capability", found);
            byte id = config.Read<byte>(at);
            if (id == 0xFF)
                throw new TestGuestException($"The capability list leads from {Last(found)} to 0x{at:x}, where there is none: ID 0xff.");
            found.Add(new GuestCapability(config, id, at, null));
        }
    }

    private static void ReadExtended(GuestRegion config, List<GuestCapability> found)
    {
        HashSet<int> seen = [];
        int at = (int)ConfigRegister.Extended;
        while (at != 0)
        {
            if (at < (int)ConfigRegister.Extended)
                throw new TestGuestException($"The extended capability list leads from {Last(found)} to 0x{at:x}, below 0x100.");
            Enter(seen, at, "extended capability", found);
            uint header = config.Read<uint>(at);
            // an empty list starts with a header of zeros
            if (header is 0 or uint.MaxValue)
            {
                if (seen.Count == 1)
                    return;
                throw new TestGuestException($"The extended capability list leads from {Last(found)} to 0x{at:x}, where there is none: 0x{header:x8}.");
            }
            found.Add(new GuestCapability(config, (ushort)header, at, (int)(header >> 16) & 0xF));
            at = (int)(header >> 20) & 0xFFC;
        }
    }

    private static void Enter(HashSet<int> seen, int at, string what, List<GuestCapability> found)
    {
        if (!seen.Add(at))
            throw new TestGuestException($"The {what} list is a loop: it leads from {Last(found)} back to 0x{at:x}.");
    }

    private static string Last(List<GuestCapability> found) => found.Count == 0 ? "its start" : found[^1].ToString();
}

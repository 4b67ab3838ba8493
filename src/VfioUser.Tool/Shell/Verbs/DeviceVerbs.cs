using VfioUser.Testing;
using VfioUser.Tool.Describing;

namespace VfioUser.Tool.Shell.Verbs;

/// <summary>The device as a whole, and the connection.</summary>
internal static class DeviceVerbs
{
    public static IReadOnlyList<Verb> All { get; } =
    [
        new("info", "", "Negotiation, regions and interrupts, as vfio-user info prints them", Info),
        new("driver", "", "What a driver does first: assigns and enables BARs, enables bus mastering and the best interrupts there are", Drive),
        Verb.Alone("reset", "Resets the device", session => session.Guest.Reset()),
        Verb.Alone("reconnect", "Disconnects and connects again, with the same memory", session => session.Guest.Reconnect()),
        new("memory", "KIND [SIZE]", "Connects again with new memory: mapped, file (by system calls), twin or message (by DMA_READ and DMA_WRITE)", Memory),
        new("migrate", "SOCKET", "Moves the guest to another server of the device", Migrate),
    ];

    private static void Info(ShellSession session, Words words)
    {
        words.End();
        DescriptionText.Write(session.Terminal, DeviceSurvey.Make(session.Client));
    }

    private static void Drive(ShellSession session, Words words)
    {
        words.End();
        PciFunction function = session.Guest.StartDriver();
        session.Confirm($"{function.VendorId:x4}:{function.DeviceId:x4}, {function.Interrupts?.EnabledCount} vectors of {function.Interrupts?.Type}");
    }

    private static void Memory(ShellSession session, Words words)
    {
        string kind = words.Take("KIND");
        ulong size = words.IsAtEnd ? ShellMemory.DefaultSize : session.TakeNumber(words, "SIZE");
        words.End();
        session.Use(ShellMemory.Of(kind, size));
    }

    private static void Migrate(ShellSession session, Words words)
    {
        string socket = words.Take("SOCKET");
        words.End();
        session.Migrate(socket);
        session.Confirm($"the guest is at {socket}");
    }
}

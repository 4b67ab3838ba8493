using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Namespaces;

/// <summary>What a driver does to follow its namespaces.</summary>
internal static class NamespaceGuest
{
    public const uint NamespaceChanged = 0x0004_0002; // a notice, and the log page

    /// <summary>Asks for events of namespaces.</summary>
    public static void WatchNamespaces(this Machine machine)
    {
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 0x0B, dword11: 1 << 8)));
        machine.RequestEvent();
    }

    public static void RequestEvent(this Machine machine) => machine.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));

    /// <summary>The next event, and the numbers in the log.</summary>
    public static uint[] TakeChange(this Machine machine)
    {
        machine.Admin.Take().Result.Should().Be(NamespaceChanged);
        uint[] changed = machine.ChangedNamespaces();
        machine.RequestEvent();
        return changed;
    }

    public static uint[] ChangedNamespaces(this Machine machine) =>
        Ids(machine.Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0xFFFF_FFFF, default, (uint)LogPageId.ChangedNamespaces | 1023u << 16)));

    /// <summary>A list of namespaces. Identify, CNS 02h and others.</summary>
    public static uint[] List(this Machine machine, uint cns, uint above = 0) => Ids(machine.Page(NewCommand.Identify(cns, default, above)));

    /// <summary>Attaches or detaches, as a driver that has not asked for events.</summary>
    public static Status Attach(this Machine machine, uint nsid, bool attach, params ushort[] controllers)
    {
        Iova page = machine.NewPage();
        machine.Guest.Memory.Write(page, new byte[4096]);
        machine.Guest.Memory.Write(page, (ushort)controllers.Length);
        for (int i = 0; i < Math.Min(controllers.Length, 2047); i++)
            machine.Guest.Memory.Write(page + (ulong)(i + 1) * sizeof(ushort), controllers[i]);
        return machine.Admin.Execute(NewCommand.Admin(AdminOpcode.NamespaceAttachment, nsid, page, attach ? 0u : 1u)).Status;
    }

    private static uint[] Ids(byte[] page) =>
        [.. Enumerable.Range(0, page.Length / sizeof(uint)).Select(i => BitConverter.ToUInt32(page, i * sizeof(uint))).TakeWhile(id => id != 0)];
}

using VfioUser;
using VfioUser.Nvme;

namespace Nvme.Driver;

/// <summary>Commands as drivers write them.</summary>
internal static class NewCommand
{
    public static Command Admin(AdminOpcode opcode, uint nsid = 0, Iova data = default, uint dword10 = 0, uint dword11 = 0,
        uint dword12 = 0, uint dword13 = 0, Iova second = default) =>
        new((byte)opcode, 0, 0, nsid, 0, 0, 0, data.Value, second.Value, dword10, dword11, dword12, dword13, 0, 0);

    public static Command Io(IoOpcode opcode, ulong lba = 0, int blocks = 1, Iova prp1 = default, Iova prp2 = default, uint nsid = 1, bool fua = false) =>
        new((byte)opcode, 0, 0, nsid, 0, 0, 0, prp1.Value, prp2.Value, (uint)lba, (uint)(lba >> 32),
            (uint)(blocks - 1) | (fua ? 1u << 30 : 0), 0, 0, 0);

    public static Command Identify(uint cns, Iova page, uint nsid = 0) => Admin(AdminOpcode.Identify, nsid, page, cns);

    public static Command CreateCompletionQueue(DriverQueue queue, int vector, bool interrupts = true) =>
        Admin(AdminOpcode.CreateCompletionQueue, 0, queue.Completions, queue.Id | (uint)(queue.Entries - 1) << 16,
            1u | (interrupts ? 2u : 0) | (uint)vector << 16);

    public static Command CreateSubmissionQueue(DriverQueue queue, ushort? completions = null) =>
        Admin(AdminOpcode.CreateSubmissionQueue, 0, queue.Submissions, queue.Id | (uint)(queue.Entries - 1) << 16,
            1u | (uint)(completions ?? queue.Id) << 16);
}

using System.Buffers;
using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>Saves and restores a quiesced controller: queues, features, requests for events.</summary>
/// <remarks>
/// Command thread. The library carries registers and interrupts; nothing is in flight. The stream is untrusted.
/// <code>
/// header | feature values, u32 each | vectors without coalescing, a byte each | namespaces | counters
///        | ids of requests for events, u16 | events, u32 | error log | completion queues | submission queues
/// </code>
/// </remarks>
internal sealed class ControllerState(ControllerParts parts, Lifecycle lifecycle)
{
    public const int MaxSize = 64 << 10;
    private const uint FormatVersion = 3;
    private const ulong Page = Prp.PageSize;

    public void Save(IBufferWriter<byte> writer)
    {
        CompletionQueueState[] completions = [.. parts.Queues.Completions.Select(queue => queue.State)];
        SubmissionQueueState[] submissions = [.. parts.Queues.Submissions.Select(queue => queue.State)];
        ushort[] requests = parts.Events.Requests;
        uint[] events = parts.Events.Waiting;
        ErrorLogEntry[] errors = parts.Errors.Saved;
        ShadowDoorbells? shadow = parts.Queues.Shadow;
        Header header = new(FormatVersion, lifecycle.IsEnabled ? 1u : 0, parts.Interrupts.Mask, parts.Features.UnderThreshold,
            (ushort)requests.Length, parts.Features.Timestamp, shadow is null ? 0u : 1, 0,
            shadow?.Doorbells ?? 0, shadow?.EventIndexes ?? 0,
            (ushort)parts.Namespaces.Count, (ushort)completions.Length, (ushort)submissions.Length, (ushort)parts.Features.Values.Length,
            (ushort)events.Length, (ushort)errors.Length, parts.Events.Reported, parts.Errors.Count);
        Put<Header>(writer, [header]);
        Put(writer, parts.Features.Values);
        Put(writer, MemoryMarshal.AsBytes(parts.Features.CoalescingDisabled));
        Put<NamespaceState>(writer, Namespaces);
        Put<StatisticsState>(writer, [parts.Statistics.State]);
        Put<ushort>(writer, requests);
        Put<uint>(writer, events);
        Put<ErrorLogEntry>(writer, errors);
        Put<CompletionQueueState>(writer, completions);
        Put<SubmissionQueueState>(writer, submissions);
        // from here on they may be another host's
        foreach (Namespace space in parts.Namespaces)
            space.Disk.Inactivate();
    }

    private NamespaceState[] Namespaces => [.. parts.Namespaces.Select(space => new NamespaceState(space.BlockCount, space.Uuid, (uint)space.BlockSize))];

    /// <exception cref="InvalidDataException">It is not the state of such a controller.</exception>
    public void Restore(ReadOnlySpan<byte> state)
    {
        Header header = Take<Header>(ref state, 1)[0];
        Require(header.Version == FormatVersion, $"version {header.Version}");
        ReadOnlySpan<uint> features = Take<uint>(ref state, header.Features);
        ReadOnlySpan<byte> uncoalesced = Take<byte>(ref state, parts.Features.CoalescingDisabled.Length);
        ReadOnlySpan<NamespaceState> namespaces = Take<NamespaceState>(ref state, header.Namespaces);
        StatisticsState statistics = Take<StatisticsState>(ref state, 1)[0];
        ReadOnlySpan<ushort> requests = Take<ushort>(ref state, header.Requests);
        ReadOnlySpan<uint> events = Take<uint>(ref state, header.Events);
        ReadOnlySpan<ErrorLogEntry> errors = Take<ErrorLogEntry>(ref state, header.Errors);
        ReadOnlySpan<CompletionQueueState> completions = Take<CompletionQueueState>(ref state, header.CompletionQueues);
        ReadOnlySpan<SubmissionQueueState> submissions = Take<SubmissionQueueState>(ref state, header.SubmissionQueues);
        Require(state.IsEmpty, "more than there should be");
        Require(features.Length == parts.Features.Values.Length, "other features");
        // what is in memory, or not on storage that both hosts share, stays behind
        Require(namespaces.SequenceEqual(Namespaces), "other disks, another serial number, or another block size");
        Require(requests.Length <= AsyncEvents.MaxRequests && events.Length <= AsyncEvents.MaxEvents, "too many events, or requests for them");
        Require(errors.Length <= ErrorLog.Entries && (ulong)errors.Length <= header.ErrorCount, "too many errors");
        Require(header.HasShadow == 0 || (parts.HasShadowDoorbells && header.Shadow % Page == 0 && header.EventIndexes % Page == 0), "shadow doorbells");
        Check(header.Enabled != 0, completions, submissions);

        parts.ActivateDisks(all: true); // what is cached of them is from before the source wrote them
        lifecycle.BeginRestore(header.Enabled != 0);
        parts.Interrupts.RestoreMask(header.Mask);
        parts.Features.Reset();
        parts.Features.Restore(features);
        parts.Features.UnderThreshold = header.UnderThreshold;
        if (header.Timestamp >> 49 != 0)
            parts.Features.Timestamp = header.Timestamp;
        for (int vector = 0; vector < uncoalesced.Length; vector++)
            parts.Features.SetCoalescingDisabled(vector, uncoalesced[vector] != 0);
        parts.Events.Restore(requests, events, header.Reported);
        parts.Errors.Restore(errors, header.ErrorCount);
        parts.Statistics.State = statistics;
        foreach (CompletionQueueState queue in completions)
            parts.Queues.Add(queue);
        foreach (SubmissionQueueState queue in submissions)
        {
            SubmissionQueue made = parts.Queues.Add(queue, parts.Queues.Completion(queue.CompletionQueueId)!);
            if (made.Id != 0)
                parts.Workers.Assign(made);
        }
        parts.Queues.RestoreShadow(header.HasShadow == 0 ? null : new ShadowDoorbells(parts.Dma, header.Shadow, header.EventIndexes));
    }

    private void Check(bool enabled, ReadOnlySpan<CompletionQueueState> completions, ReadOnlySpan<SubmissionQueueState> submissions)
    {
        HashSet<int> known = [];
        foreach (ref readonly CompletionQueueState queue in completions)
        {
            Require(known.Add(queue.Id) && queue.Id <= parts.Queues.LastId
                && (queue.InterruptsEnabled == 0 || queue.Vector < parts.Interrupts.Vectors), "a completion queue");
            Require(IsSize(queue.Id, queue.Size) && queue.Head < queue.Size && queue.Tail < queue.Size && queue.Address % Page == 0, "a completion queue");
        }
        HashSet<int> used = [];
        foreach (ref readonly SubmissionQueueState queue in submissions)
        {
            Require(used.Add(queue.Id) && queue.Id <= parts.Queues.LastId && known.Contains(queue.CompletionQueueId)
                && (queue.Id == 0) == (queue.CompletionQueueId == 0), "a submission queue");
            Require(IsSize(queue.Id, queue.Size) && queue.Head < queue.Size && queue.Tail < queue.Size && queue.Address % Page == 0, "a submission queue");
        }
        Require(enabled ? known.Contains(0) && used.Contains(0) : known.Count == 0, "no admin queue, or one too many");
    }

    private bool IsSize(int id, uint size) => size >= 2 && size <= (id == 0 ? 4096u : (uint)parts.Options.QueueEntries);

    private static void Put<T>(IBufferWriter<byte> writer, ReadOnlySpan<T> values)
        where T : unmanaged => writer.Write(MemoryMarshal.AsBytes(values));

    private static ReadOnlySpan<T> Take<T>(ref ReadOnlySpan<byte> state, int count)
        where T : unmanaged
    {
        int length = count * Marshal.SizeOf<T>();
        Require(length <= state.Length, "less than there should be");
        ReadOnlySpan<byte> bytes = state[..length];
        state = state[length..];
        return MemoryMarshal.Cast<byte, T>(bytes);
    }

    private static void Require(bool condition, string what)
    {
        if (!condition)
            throw new InvalidDataException($"The state of the NVMe controller has {what}.");
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct NamespaceState(ulong Blocks, Guid Uuid, uint BlockSize);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct Header(
        uint Version, uint Enabled, uint Mask, ushort UnderThreshold, ushort Requests, ulong Timestamp, uint HasShadow, uint Reserved,
        ulong Shadow, ulong EventIndexes, ushort Namespaces, ushort CompletionQueues, ushort SubmissionQueues, ushort Features,
        ushort Events, ushort Errors, uint Reported, ulong ErrorCount);
}

using System.Buffers;
using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>Saves and restores a quiesced controller: queues, features, requests for events.</summary>
/// <remarks>
/// Command thread. The library carries registers and interrupts; nothing is in flight. The stream is untrusted.
/// <code>
/// header | feature values, u32 each | vectors without coalescing, a byte each | namespaces | counters | numbers of changed namespaces, u32
///        | ids of requests for events, u16 | events, u32 | error log | completion queues | submission queues
///        | unreadable bytes of each namespace | results of self-tests | persistent events | id of the controller, u16
///        | the host: bytes of its identifier, u32, and 16 of them | count of notices, u64 | notices | of each namespace: masked notices, u32, and reservations
///        | the Keep Alive Timer, u32 in ms | whether the host retries as told, u32
/// </code>
/// </remarks>
internal sealed class ControllerState(ControllerParts parts, Lifecycle lifecycle)
{
    private const int MaxBase = (64 << 10) + PersistentEvents.MaxLength;
    private const uint FormatVersion = 7;
    private const uint WithoutKeepAlive = 6;
    private const uint WithoutReservations = 5;
    private const uint WithoutLogs = 4;
    private const uint OldestVersion = 3; // all namespaces attached, with the formats that they were given
    private const ulong Page = Prp.PageSize;

    /// <summary>The longest state, in bytes.</summary>
    public static int MaxSize(int namespaces) => MaxBase + namespaces * (UncorrectableBlocks.MaxRanges * Marshal.SizeOf<BadRange>() + SavedReservations.MaxLength);

    public void Save(IBufferWriter<byte> writer)
    {
        CompletionQueueState[] completions = [.. parts.Queues.Completions.Select(queue => queue.State)];
        SubmissionQueueState[] submissions = [.. parts.Queues.Submissions.Select(queue => queue.State)];
        ushort[] requests = parts.Events.Requests;
        uint[] events = parts.Events.Waiting;
        ErrorLogEntry[] errors = parts.Errors.Saved;
        NamespaceState[] namespaces = [.. parts.Namespaces.All.Select(space => new NamespaceState(
            space.BlockCount, space.Uuid, (uint)space.BlockSize, space.Id, space.IsAttached ? 1u : 0))];
        uint[] changed = parts.Namespaces.ChangedIds;
        ShadowDoorbells? shadow = parts.Queues.Shadow;
        Header header = new(FormatVersion, lifecycle.IsEnabled ? 1u : 0, parts.Interrupts.Mask, parts.Features.UnderThreshold,
            (ushort)requests.Length, parts.Features.Timestamp, shadow is null ? 0u : 1, (ushort)(parts.OffersWriteCache ? 1 : 0), (ushort)changed.Length,
            shadow?.Doorbells ?? 0, shadow?.EventIndexes ?? 0,
            (ushort)namespaces.Length, (ushort)completions.Length, (ushort)submissions.Length, (ushort)parts.Features.Values.Length,
            (ushort)events.Length, (ushort)errors.Length, parts.Events.Reported, parts.Errors.Count);
        Put<Header>(writer, [header]);
        Put(writer, parts.Features.Values);
        Put(writer, MemoryMarshal.AsBytes(parts.Features.CoalescingDisabled));
        Put<NamespaceState>(writer, namespaces);
        Put<StatisticsState>(writer, [parts.Statistics.State]);
        Put<uint>(writer, changed);
        Put<ushort>(writer, requests);
        Put<uint>(writer, events);
        Put<ErrorLogEntry>(writer, errors);
        Put<CompletionQueueState>(writer, completions);
        Put<SubmissionQueueState>(writer, submissions);
        foreach (Namespace space in parts.Namespaces.All)
            PutCounted<BadRange>(writer, space.Uncorrectable.Ranges);
        PutCounted<SelfTestEntry>(writer, parts.SelfTests.Saved);
        PutCounted<byte>(writer, parts.History.Events.Snapshot.Bytes);
        Put<ushort>(writer, [parts.ControllerId]);
        SaveReservations(writer);
        Put<uint>(writer, [parts.KeepAlive.Milliseconds, parts.Features.RetriesAsTold ? 1u : 0]);
        // from here on they may be another host's
        parts.Subsystem.ReleaseDisks(parts.Namespaces);
    }

    /// <exception cref="InvalidDataException">It is not the state of such a controller.</exception>
    public void Restore(ReadOnlySpan<byte> state)
    {
        Header header = Take<Header>(ref state, 1)[0];
        Require(header.Version is >= OldestVersion and <= FormatVersion, $"version {header.Version}");
        ReadOnlySpan<uint> features = Take<uint>(ref state, header.Features);
        ReadOnlySpan<byte> uncoalesced = Take<byte>(ref state, parts.Features.CoalescingDisabled.Length);
        NamespaceState[] namespaces = header.Version == OldestVersion ? TakeOldNamespaces(ref state, header.Namespaces)
            : [.. Take<NamespaceState>(ref state, header.Namespaces)];
        StatisticsState statistics = Take<StatisticsState>(ref state, 1)[0];
        ReadOnlySpan<uint> changed = Take<uint>(ref state, header.Changed);
        ReadOnlySpan<ushort> requests = Take<ushort>(ref state, header.Requests);
        ReadOnlySpan<uint> events = Take<uint>(ref state, header.Events);
        ReadOnlySpan<ErrorLogEntry> errors = Take<ErrorLogEntry>(ref state, header.Errors);
        ReadOnlySpan<CompletionQueueState> completions = Take<CompletionQueueState>(ref state, header.CompletionQueues);
        ReadOnlySpan<SubmissionQueueState> submissions = Take<SubmissionQueueState>(ref state, header.SubmissionQueues);
        Logs logs = header.Version <= WithoutLogs ? new Logs([.. namespaces.Select(_ => Array.Empty<BadRange>())], [], []) : TakeLogs(ref state, namespaces.Length);
        Reserved? reserved = header.Version <= WithoutReservations ? null : TakeReservations(ref state, namespaces);
        ReadOnlySpan<uint> host = header.Version <= WithoutKeepAlive ? [0, 0] : Take<uint>(ref state, 2);
        Require(state.IsEmpty, "more than there should be");
        Require(features.Length == parts.Features.Values.Length, "other features");
        Check(namespaces, changed);
        Require(requests.Length <= AsyncEvents.MaxRequests && events.Length <= AsyncEvents.MaxEvents, "too many events, or requests for them");
        Require(errors.Length <= ErrorLog.Entries && (ulong)errors.Length <= header.ErrorCount, "too many errors");
        Require(header.HasShadow == 0 || (parts.HasShadowDoorbells && header.Shadow % Page == 0 && header.EventIndexes % Page == 0), "shadow doorbells");
        Check(header.Enabled != 0, completions, submissions);
        Require(parts.History.Events.TryRestore(logs.History), "persistent events"); // the last of the checks: it changes something

        parts.ActivateDisks(all: true); // what is cached of them is from before the source wrote them
        lifecycle.BeginRestore(header.Enabled != 0);
        Restore(namespaces, logs.Bad, changed);
        Restore(namespaces, reserved);
        parts.OffersWriteCache = header.Version == OldestVersion ? parts.HasVolatileCache : header.OffersWriteCache != 0;
        parts.Interrupts.RestoreMask(header.Mask);
        Restore(header, features, uncoalesced);
        parts.KeepAlive.Restore(host[0]);
        parts.Features.RetriesAsTold = host[1] != 0;
        parts.Events.Restore(requests, events, header.Reported);
        parts.Errors.Restore(errors, header.ErrorCount);
        parts.SelfTests.Restore(logs.Tests);
        parts.Statistics.State = statistics;
        Restore(completions, submissions);
        parts.Queues.RestoreShadow(header.HasShadow == 0 ? null : new ShadowDoorbells(parts.Dma, header.Shadow, header.EventIndexes));
    }

    private void Restore(in Header header, ReadOnlySpan<uint> features, ReadOnlySpan<byte> uncoalesced)
    {
        parts.Features.Reset();
        parts.Features.Restore(features);
        parts.Features.UnderThreshold = header.UnderThreshold;
        if (header.Timestamp >> 49 != 0)
            parts.Features.Timestamp = header.Timestamp;
        for (int vector = 0; vector < uncoalesced.Length; vector++)
            parts.Features.SetCoalescingDisabled(vector, uncoalesced[vector] != 0);
    }

    private void Restore(ReadOnlySpan<CompletionQueueState> completions, ReadOnlySpan<SubmissionQueueState> submissions)
    {
        foreach (CompletionQueueState queue in completions)
            parts.Queues.Add(queue);
        foreach (SubmissionQueueState queue in submissions)
        {
            SubmissionQueue made = parts.Queues.Add(queue, parts.Queues.Completion(queue.CompletionQueueId)!);
            if (made.Id != 0)
                parts.Workers.Assign(made);
        }
    }

    private void Restore(NamespaceState[] namespaces, BadRange[][] bad, ReadOnlySpan<uint> changed)
    {
        for (int i = 0; i < namespaces.Length; i++)
        {
            Restore(namespaces[i]);
            parts.Namespaces.Allocated(namespaces[i].Id)!.Uncorrectable.Restore(bad[i]);
        }
        parts.Namespaces.TakeChangedIds();
        parts.Namespaces.ReturnChangedIds(changed);
    }

    // Nothing is under way, and the disk is as it was: only what the driver knows of it is restored.
    private void Restore(in NamespaceState state)
    {
        Namespace space = parts.Namespaces.Allocated(state.Id)!;
        space.Shared.SetFormat(IndexOf(space.Formats, (int)state.BlockSize));
        if (state.IsAttached != 0)
            parts.Namespaces.Attach(space);
        else
            parts.Namespaces.Detach(space);
    }

    // what is in memory, or not on storage that both hosts share, stays behind
    private void Check(ReadOnlySpan<NamespaceState> namespaces, ReadOnlySpan<uint> changed)
    {
        HashSet<uint> known = [];
        foreach (NamespaceState state in namespaces)
        {
            Require(parts.Namespaces.Allocated(state.Id) is not null, $"a namespace {state.Id}, which is not here");
            Namespace space = parts.Namespaces.Allocated(state.Id)!;
            Require(known.Add(state.Id) && space.Uuid == state.Uuid, $"another disk as namespace {state.Id}, or another serial number");
            Require(IndexOf(space.Formats, (int)state.BlockSize) >= 0, $"blocks of {state.BlockSize} bytes in namespace {state.Id}, which cannot have them here");
            Require((ulong)Math.Max(space.Disk.Size, 0) / state.BlockSize == state.Blocks, $"another size of namespace {state.Id}");
        }
        foreach (Namespace space in parts.Namespaces.All)
            Require(known.Contains(space.Id), $"no namespace {space.Id}, which is here");
        foreach (uint id in changed)
            Require(parts.Namespaces.IsValid(id), $"a change of namespace {id}");
    }

    // Of a release that had neither numbers nor attachments: one after the other from 1 on.
    private static NamespaceState[] TakeOldNamespaces(ref ReadOnlySpan<byte> state, int count)
    {
        NamespaceState[] namespaces = new NamespaceState[count];
        uint id = 0;
        foreach (ref readonly OldNamespaceState old in Take<OldNamespaceState>(ref state, count))
        {
            namespaces[id] = new NamespaceState(old.Blocks, old.Uuid, old.BlockSize, id + 1, IsAttached: 1);
            id++;
        }
        return namespaces;
    }

    private Logs TakeLogs(ref ReadOnlySpan<byte> state, int namespaces)
    {
        List<BadRange[]> all = [];
        for (int i = 0; i < namespaces; i++)
        {
            BadRange[] ranges = TakeCounted<BadRange>(ref state, UncorrectableBlocks.MaxRanges, "unreadable stretches");
            foreach (BadRange range in ranges)
                Require(range.Offset >= 0 && range.Length > 0 && range.Length <= long.MaxValue - range.Offset, "an unreadable stretch");
            all.Add(ranges);
        }
        SelfTestEntry[] tests = TakeCounted<SelfTestEntry>(ref state, SelfTests.Results, "results of self-tests");
        byte[] history = TakeCounted<byte>(ref state, PersistentEvents.MaxLength, "bytes of persistent events");
        ushort id = Take<ushort>(ref state, 1)[0];
        Require(id == parts.ControllerId, $"controller id {id}, and not {parts.ControllerId}");
        return new Logs([.. all], tests, history);
    }

    private void SaveReservations(IBufferWriter<byte> writer)
    {
        HostIdentifier? host = parts.Namespaces.Host;
        (SavedNotice[] notices, ulong count) = parts.Namespaces.Notices.Saved;
        Put<uint>(writer, [(uint)(host?.Length ?? 0)]);
        Put<UInt128>(writer, [host?.Value ?? 0]);
        Put<ulong>(writer, [count]);
        PutCounted<SavedNotice>(writer, notices);
        foreach (Namespace space in parts.Namespaces.All)
        {
            Put<uint>(writer, [space.NoticeMask]);
            PutCounted<byte>(writer, SavedReservations.Write(space.Shared.Reservations.State));
        }
    }

    private Reserved TakeReservations(ref ReadOnlySpan<byte> state, NamespaceState[] namespaces)
    {
        uint length = Take<uint>(ref state, 1)[0];
        UInt128 value = Take<UInt128>(ref state, 1)[0];
        Require(length is 0 or 8 or 16 && (length == 0) == (value == 0) && (length != 8 || value <= ulong.MaxValue), "a host identifier");
        ulong count = Take<ulong>(ref state, 1)[0];
        SavedNotice[] notices = TakeCounted<SavedNotice>(ref state, ReservationNotices.Most, "notices of reservations");
        Require(Array.TrueForAll(notices, notice => notice.IsValid && parts.Namespaces.IsValid(notice.Nsid)), "a notice of a reservation");
        List<(uint Mask, ReservationState State)> spaces = [];
        foreach (NamespaceState space in namespaces)
        {
            uint mask = Take<uint>(ref state, 1)[0];
            ReservationState? saved = SavedReservations.Read(TakeCounted<byte>(ref state, SavedReservations.MaxLength, "bytes of reservations"));
            Require(saved is not null, $"reservations of namespace {space.Id}");
            Require(parts.Namespaces.Allocated(space.Id)?.Shared.Reservations.CanRestore(saved!) != false,
                $"reservations of namespace {space.Id} that outlast the program, and there is no file for them here");
            spaces.Add((mask, saved!));
        }
        return new Reserved(length == 0 ? null : new HostIdentifier(value, length == 16), count, notices, [.. spaces]);
    }

    private void Restore(NamespaceState[] namespaces, Reserved? reserved)
    {
        if (reserved is null)
            return;
        for (int i = 0; i < namespaces.Length; i++)
        {
            Namespace space = parts.Namespaces.Allocated(namespaces[i].Id)!;
            space.NoticeMask = reserved.Spaces[i].Mask;
            space.Shared.Reservations.Restore(reserved.Spaces[i].State);
        }
        parts.Namespaces.Host = reserved.Host;
        parts.Namespaces.Notices.Restore(reserved.Notices, reserved.NoticeCount);
    }

    private static int IndexOf(IReadOnlyList<int> formats, int blockSize)
    {
        for (int i = 0; i < formats.Count; i++)
        {
            if (formats[i] == blockSize)
                return i;
        }
        return -1;
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

    private static T[] TakeCounted<T>(ref ReadOnlySpan<byte> state, int most, string what)
        where T : unmanaged
    {
        int count = Take<int>(ref state, 1)[0];
        Require(count >= 0 && count <= most, $"{count} {what}");
        return Take<T>(ref state, count).ToArray();
    }

    private static void PutCounted<T>(IBufferWriter<byte> writer, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        Put<int>(writer, [values.Length]);
        Put(writer, values);
    }

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

    private sealed record Reserved(HostIdentifier? Host, ulong NoticeCount, SavedNotice[] Notices, (uint Mask, ReservationState State)[] Spaces);

    private sealed record Logs(BadRange[][] Bad, SelfTestEntry[] Tests, byte[] History);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct NamespaceState(ulong Blocks, Guid Uuid, uint BlockSize, uint Id, uint IsAttached);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct OldNamespaceState(ulong Blocks, Guid Uuid, uint BlockSize);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct Header(
        uint Version, uint Enabled, uint Mask, ushort UnderThreshold, ushort Requests, ulong Timestamp, uint HasShadow, ushort OffersWriteCache, ushort Changed,
        ulong Shadow, ulong EventIndexes, ushort Namespaces, ushort CompletionQueues, ushort SubmissionQueues, ushort Features,
        ushort Events, ushort Errors, uint Reported, ulong ErrorCount);
}

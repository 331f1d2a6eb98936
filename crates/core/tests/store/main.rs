//! The store suite: one set of tests, run on SQLite and on PostgreSQL.
//!
//! A test is a function of a [`place::Place`]; the table below runs it on both databases. `coverage` fails for a public
//! function of the store that no test calls.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test, what must not be is a panic")]

#[macro_use]
mod place;
mod access;
mod collect;
mod collect_steps;
mod coverage;
mod deletions;
mod files;
mod health;
mod milestones;
mod nouns;
mod pages;
#[path = "../../../../tests/support/postgres.rs"]
mod postgres;
mod races;
mod registry;
mod rows;
mod schema;
mod sessions;
mod size;
mod spaces;
mod town;
mod writes;

/// Makes a test for each database out of every function of the suite.
macro_rules! suite {
    ($($module:ident { $($test:ident,)+ })+) => {
        suite!(@on sqlite: $($module { $($test,)+ })+);
        suite!(@on postgres: $($module { $($test,)+ })+);
    };
    (@on $database:ident: $($module:ident { $($test:ident,)+ })+) => {
        mod $database {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    crate::$module::$test(&crate::place::Place::$database()).await;
                })+
            })+
        }
    };
}

mod on {
    suite! {
        schema {
            an_empty_database_is_brought_up_to_date_once,
            copies_that_start_together_migrate_once,
            a_database_of_another_program_is_left_alone,
            every_statement_can_be_prepared,
            a_statement_that_does_not_fit_is_named,
            an_address_that_is_none_is_refused,
            a_page_goes_along_its_own_index_whoever_has_most_packages,
        }
        milestones {
            a_page_by_number_is_the_same_page_with_milestones,
            a_milestone_every_so_often_and_none_above_the_cutoff,
            milestones_that_contradict_the_total_are_found,
            only_a_gap_below_the_last_milestone_is_noted,
            long_lists_are_found_with_their_totals,
        }
        rows {
            values_come_back_as_they_were_put,
            a_column_of_another_type_is_an_error,
            a_statement_tells_how_many_rows_it_changed,
        }
        health {
            the_databases_clock_is_told,
            a_sound_database_has_no_damage,
            a_pool_tells_what_its_connections_do,
        }
        access {
            a_key_is_unique_and_keeps_what_is_said_of_it,
            a_key_ends_once_and_never_later,
            a_nonce_is_good_for_one_use_by_each_key,
        }
        sessions {
            a_token_stands_for_its_key_until_it_expires,
            sessions_end_one_by_one_by_kind_and_together,
            expired_sessions_are_forgotten,
            holding_a_key_is_for_keys_that_are_there,
        }
        spaces {
            settings_keep_what_was_put_first,
            a_tenant_is_found_by_its_name_in_any_letter_case,
            a_space_is_found_renamed_and_deleted_unless_it_has_products,
        }
        registry {
            a_product_is_found_by_code_and_key_in_its_tenant_only,
            products_are_listed_by_space_and_name,
            products_are_listed_by_the_label_that_their_door_gave_them,
            a_product_changes_and_goes_once_it_has_no_packages,
            a_module_is_found_by_id_and_by_name_in_any_letter_case,
            modules_go_with_their_product_unless_it_has_packages,
            a_package_comes_back_as_it_was_put,
            what_is_learnt_of_a_package_changes_and_the_rest_stays,
            a_claim_is_held_until_it_or_its_package_goes,
            totals_follow_every_change,
            imports_are_taken_one_package_at_a_time_until_they_end,
            the_newest_id_is_of_whatever_is_newest,
        }
        files {
            an_upload_is_found_completed_and_deleted,
            uploads_expire,
            a_bucket_goes_when_it_is_empty,
            an_object_replaces_another_of_its_key,
            keys_are_listed_in_the_order_of_their_bytes,
            parts_replace_each_other_and_go_with_their_upload,
            bytes_are_in_use_while_anything_is_of_them,
        }
        writes {
            an_error_leaves_nothing_behind,
            commits_are_counted_where_all_are_seen,
            a_panic_hurts_only_its_own_verb,
            of_verbs_that_share_a_transaction_each_fails_by_itself,
            who_shares_a_transaction_is_answered_after_its_commit,
            verbs_that_share_a_transaction_begin_again_after_a_lost_race,
            statements_that_go_out_together_take_effect_in_their_order,
            a_verb_that_passes_over_a_failure_leaves_all_or_nothing,
            a_verb_that_is_abandoned_leaves_nothing_behind,
            an_answer_comes_after_the_commit,
            what_was_answered_is_there_after_reopening,
            a_reader_never_sees_half_a_verb,
            verbs_that_wait_for_each_other_are_tried_again,
        }
        deletions {
            a_package_and_the_deletion_of_its_product_exclude_each_other,
            a_package_and_the_deletion_of_its_module_exclude_each_other,
            a_module_and_the_deletion_of_its_product_exclude_each_other,
            a_product_and_the_deletion_of_its_space_exclude_each_other,
            an_object_and_the_deletion_of_its_bucket_exclude_each_other,
            of_several_deletions_of_a_package_one_finds_it,
            bytes_on_their_way_from_an_object_into_a_package_stay_in_use,
            totals_are_exact_after_many_creations_and_deletions_at_once,
        }
        races {
            of_several_bootstraps_one_makes_the_first_key,
            of_several_creations_with_one_claim_one_wins,
            names_that_are_swapped_at_the_same_time_do_not_break_anything,
            a_refresh_token_is_good_for_one_of_several_uses,
            of_several_sign_ins_one_token_is_valid_afterwards,
            a_nonce_is_good_for_one_of_several_uses,
            caps_hold_when_many_create_at_once,
            product_names_of_one_door_stay_unique,
            of_several_conditional_puts_one_wins,
            an_import_is_taken_by_one_copy,
        }
        pages {
            any_filter_lists_every_record_once_with_its_exact_total,
            products_and_modules_are_listed_once_with_their_exact_total,
            records_that_stay_are_listed_once_while_others_come_and_go,
        }
    }
}
